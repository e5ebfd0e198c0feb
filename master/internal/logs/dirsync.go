package logs

import (
	"errors"
	"os"
	"sync"
)

// dirSync flushes one folder for many callers at once: those who come while a
// flush runs share the next one.
type dirSync struct {
	path string

	mu      sync.Mutex
	running bool
	next    *flush // joined by those who wait; nil while nobody does
}

type flush struct {
	done chan struct{}
	err  error
}

// sync returns after a flush that began after the call.
func (s *dirSync) sync() error {
	s.mu.Lock()
	f := s.next
	if f == nil {
		f = &flush{done: make(chan struct{})}
		s.next = f
	}
	if s.running {
		s.mu.Unlock()
		<-f.done
		return f.err
	}
	s.running = true
	for s.next != nil {
		turn := s.next
		s.next = nil
		s.mu.Unlock()
		turn.err = syncDir(s.path)
		close(turn.done)
		s.mu.Lock()
	}
	s.running = false
	s.mu.Unlock()
	return f.err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
