package agent

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/status"
)

// repeatEvery is how often the same trouble is told again.
const repeatEvery = 30 * time.Second

// saying tells of trouble that lasts: when it changes, and now and then. The
// zero value is ready.
type saying struct {
	mu   sync.Mutex
	told map[string]time.Time // what was said lately, and when
}

func (s *saying) say(message string, err error, log func(string, ...any)) {
	why := inWords(err)
	if s.due(message + why) {
		log(message, "error", why)
	}
}

// due reports whether it is time to say something, and takes it for said.
// Numbers do not make a difference: ports and counts change with each try.
func (s *saying) due(what string) bool {
	what = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, what)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for earlier, at := range s.told {
		if now.Sub(at) >= repeatEvery {
			delete(s.told, earlier)
		}
	}
	if _, lately := s.told[what]; lately {
		return false
	}
	if s.told == nil {
		s.told = make(map[string]time.Time)
	}
	s.told[what] = now
	return true
}

// over says that the trouble has passed, and reports whether there was any.
func (s *saying) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	trouble := len(s.told) > 0
	s.told = nil
	return trouble
}

// wrapped is what gRPC puts around an error of a connection.
var wrapped = regexp.MustCompile(`^connection error: desc = "(?:transport: )?(?:Error while dialing: |authentication handshake failed: )?(.*)"$`)

// inWords leaves of a call's error what a person can use.
func inWords(err error) string {
	s, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	if m := wrapped.FindStringSubmatch(s.Message()); m != nil {
		return m[1]
	}
	return s.Message()
}
