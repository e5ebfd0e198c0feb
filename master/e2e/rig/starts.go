package rig

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
)

// ContainerStart is one start of a container.
type ContainerStart struct {
	Task      string
	Attempt   int
	Container string
}

// Starts counts the starts of containers per task, as the engine announces
// them.
type Starts struct {
	mu     sync.Mutex
	seen   []ContainerStart
	err    error // the stream broke: what was seen is not all
	cancel context.CancelFunc
	done   chan struct{}
}

// Starts begins to count; every start after its return is seen. Stop ends it.
func (e *Engine) Starts(ctx context.Context) *Starts { return e.StartsSince(ctx, time.Now()) }

// StartsSince counts those from an earlier time on as well, as far as the engine
// still knows of them.
func (e *Engine) StartsSince(ctx context.Context, at time.Time) *Starts {
	ctx, cancel := context.WithCancel(ctx)
	filter := e.ours()
	filter.Add("type", string(events.ContainerEventType))
	filter.Add("event", string(events.ActionStart))
	// The engine answers a moment before it listens; it repeats what lies since.
	since := fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond())
	messages, broken := e.Events(ctx, events.ListOptions{Filters: filter, Since: since})
	s := &Starts{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for {
			select {
			case m := <-messages:
				s.take(m)
			case err := <-broken:
				s.mu.Lock()
				if ctx.Err() == nil {
					s.err = fmt.Errorf("the engine's events: %w", err)
				}
				s.mu.Unlock()
				return
			}
		}
	}()
	return s
}

func (s *Starts) take(m events.Message) {
	attempt, _ := strconv.Atoi(m.Actor.Attributes[labelAttempt]) // 0: it has no such label
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, ContainerStart{Task: m.Actor.Attributes[labelTask], Attempt: attempt, Container: m.Actor.ID})
}

// Of is how often a container of the task was started so far.
func (s *Starts) Of(task string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.seen {
		if c.Task == task {
			n++
		}
	}
	return n, s.err
}

// Broken is closed when nothing more will be seen.
func (s *Starts) Broken() <-chan struct{} { return s.done }

// Seen is every start so far.
func (s *Starts) Seen() []ContainerStart {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// Stop ends the counting.
func (s *Starts) Stop() {
	s.cancel()
	<-s.done
}
