package docker

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/docker/docker/client"
)

// signs asks the engine for signs of life, in two ways. An engine that is
// stopping takes no new connection, but answers on those that it has while it
// ends its containers; so a new one tells whether it is stopping. And where the
// system keeps the socket open for the next engine, a new connection waits for
// that one; so a kept one tells whether it is still the same engine.
type signs struct {
	fresh, kept *client.Client

	mu sync.Mutex
	at time.Time // when the kept connection has carried an answer; zero: it is to be made
}

// keptFor is within the time after which the client itself lets go of a
// connection that is not used.
const keptFor = 20 * time.Second

// errAnother is told once after each start of the engine.
var errAnother = errors.New("the engine was started anew")

func newSigns(opts []client.Opt) (*signs, error) {
	fresh, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, err
	}
	kept, err := client.NewClientWithOpts(opts...)
	return &signs{fresh: fresh, kept: kept}, err
}

// ask is nil when the engine that answered the last time answers still.
func (s *signs) ask(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.fresh.Close() // has no error; what was used does not count as new
	if _, err := s.fresh.Ping(ctx); err != nil {
		if ctx.Err() == nil {
			s.at = time.Time{} // it is away, and what returns is another one
		}
		return err
	}
	made := false
	_, err := s.kept.Ping(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { made = !c.Reused },
	}))
	lost := made && !s.at.IsZero() && time.Since(s.at) < keptFor
	s.at = time.Now()
	switch {
	case err != nil:
		s.at = time.Time{}
		return err
	case lost:
		return errAnother
	}
	return nil
}

func (s *signs) close() error { return errors.Join(s.fresh.Close(), s.kept.Close()) }
