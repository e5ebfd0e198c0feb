package agent

import (
	"sync"
	"time"
)

// repeatEvery is how often the same trouble is told again.
const repeatEvery = 30 * time.Second

// saying tells of trouble that lasts: when it changes, and now and then.
type saying struct {
	mu   sync.Mutex
	what string
	at   time.Time
}

func (s *saying) say(message string, err error, log func(string, ...any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := message + err.Error()
	if what == s.what && time.Since(s.at) < repeatEvery {
		return
	}
	s.what, s.at = what, time.Now()
	log(message, "error", err)
}

// over says that the trouble has passed.
func (s *saying) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.what = ""
}
