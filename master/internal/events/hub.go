// Package events is a bounded, ordered broadcast: everything published gets a
// number, and each subscriber gets everything published after it subscribed,
// in that order, or is told to start again. A publisher never waits for
// anybody, and the memory used does not depend on the number of subscribers.
// The package does not know what it carries and keeps no history for those
// who come later: they take a snapshot from the owner of the state.
package events

import (
	"context"
	"errors"
	"sync"
)

// Errors that end a subscription.
var (
	// ErrResync: the subscriber was too slow and has missed events. It must
	// take a new snapshot with a new subscription.
	ErrResync = errors.New("subscriber fell behind, resync")
	// ErrClosed: the subscription or the hub was closed.
	ErrClosed = errors.New("subscription closed")
)

// A subscriber takes out so many events under one lock, and no more once they
// weigh so much: it keeps them while it is busy.
const (
	batchSize  = 64
	batchBytes = 1 << 20
)

// Hub numbers and distributes events. The zero value is not usable. All
// methods are safe for concurrent use and none of them blocks.
type Hub[T any] struct {
	weigh func(T) int
	size  int
	most  int // bytes

	mu     sync.Mutex
	ring   []held[T] // event n lies at n % len; made for the first subscriber
	first  uint64    // number of the oldest event that is held
	last   uint64    // number of the newest event, 0 before the first
	bytes  int       // of those that are held
	subs   map[*Subscription[T]]struct{}
	wake   chan struct{} // closed at the next event; nil while nobody waits
	closed bool
}

// Event is a published value and its number, which grows by one.
type Event[T any] struct {
	Seq   uint64
	Value T
}

// held is an event with the bytes that it keeps alive.
type held[T any] struct {
	Event[T]
	bytes int
}

// NewHub makes a hub that holds the newest size events for its subscribers, fewer
// when together they keep more than so many bytes alive, but always the newest.
// weigh says about how many bytes a value keeps alive; it must be quick, and is
// asked when somebody listens.
func NewHub[T any](size, bytes int, weigh func(T) int) *Hub[T] {
	return &Hub[T]{weigh: weigh, size: max(size, 1), most: bytes, subs: make(map[*Subscription[T]]struct{})}
}

// Publish gives the value to all subscribers and returns its number. The
// value is shared between them and must not change afterwards.
func (h *Hub[T]) Publish(v T) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	if len(h.subs) > 0 {
		h.holdLocked(v)
		h.wakeLocked()
	}
	return h.last
}

// holdLocked puts the newest event into the ring, and takes out what it has no
// room for.
func (h *Hub[T]) holdLocked(v T) {
	n := h.weigh(v)
	h.bytes += n
	for h.first < h.last && (h.last-h.first >= uint64(len(h.ring)) || h.bytes > h.most) {
		oldest := h.atLocked(h.first)
		h.bytes -= oldest.bytes
		*oldest = held[T]{}
		h.first++
	}
	*h.atLocked(h.last) = held[T]{Event: Event[T]{Seq: h.last, Value: v}, bytes: n}
}

func (h *Hub[T]) atLocked(n uint64) *held[T] { return &h.ring[n%uint64(len(h.ring))] }

// Subscribe begins a subscription with the next event. It is cut off with
// ErrResync once more than buffer events wait for it (at most the hub's size,
// which 0 stands for), or more than the hub's bytes.
//
// For a snapshot without a hole, the owner of the state changes it and
// publishes under one lock of its own, and copies it and subscribes under the
// same lock. Where it publishes after unlocking, subscribing before copying
// gives no hole either, but repeats what the copy already contains.
func (h *Hub[T]) Subscribe(buffer int) *Subscription[T] {
	if buffer <= 0 || buffer > h.size {
		buffer = h.size
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Subscription[T]{hub: h, buffer: uint64(buffer), start: h.last, taken: h.last, end: make(chan struct{})} //nolint:gosec // the buffer is positive by now
	if h.closed {
		s.endLocked(ErrClosed)
		return s
	}
	if h.ring == nil {
		h.ring, h.first, h.bytes = make([]held[T], h.size), h.last+1, 0
	}
	h.subs[s] = struct{}{}
	return s
}

// Last is the number of the event that was published last; 0: none.
func (h *Hub[T]) Last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Subscribers counts the live subscriptions.
func (h *Hub[T]) Subscribers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// Close ends all subscriptions, present and future, with ErrClosed.
func (h *Hub[T]) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.endLocked(ErrClosed)
	}
}

func (h *Hub[T]) wakeLocked() {
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// Subscription is one subscriber's place in the order. Next belongs to one
// goroutine; Close may be called by any.
type Subscription[T any] struct {
	hub    *Hub[T]
	buffer uint64
	start  uint64
	batch  []Event[T] // taken out, not yet returned; the reader's alone

	taken uint64 // newest number taken out; under hub.mu
	err   error  // why it ended; under hub.mu
	end   chan struct{}
}

// Start is the number of the newest event before the subscription; the first
// one that Next returns has Start() + 1.
func (s *Subscription[T]) Start() uint64 { return s.start }

// Next waits for the next event. Its error is ErrResync, ErrClosed or the
// context's; after the first two it stays so.
func (s *Subscription[T]) Next(ctx context.Context) (Event[T], error) {
	for len(s.batch) == 0 {
		wake, err := s.take()
		if err != nil {
			return Event[T]{}, err
		}
		if wake == nil {
			continue
		}
		select {
		case <-wake:
		case <-s.end:
		case <-ctx.Done():
			return Event[T]{}, ctx.Err()
		}
	}
	e := s.batch[0]
	s.batch[0] = Event[T]{}
	s.batch = s.batch[1:]
	return e, nil
}

// take fills the batch, or gives the channel to wait on when there is nothing.
func (s *Subscription[T]) take() (<-chan struct{}, error) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	waiting := h.last - s.taken
	if waiting > s.buffer || s.taken+1 < h.first {
		s.endLocked(ErrResync)
		return nil, s.err
	}
	if waiting == 0 {
		if h.wake == nil {
			h.wake = make(chan struct{})
		}
		return h.wake, nil
	}
	n := min(waiting, batchSize)
	s.batch = make([]Event[T], 0, n)
	for bytes := 0; n > 0 && bytes < batchBytes; n-- {
		s.taken++
		next := h.atLocked(s.taken)
		s.batch, bytes = append(s.batch, next.Event), bytes+next.bytes
	}
	return nil, nil
}

// Close ends the subscription; a waiting Next returns ErrClosed. Repeating it
// is a no-op.
func (s *Subscription[T]) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.endLocked(ErrClosed)
}

func (s *Subscription[T]) endLocked(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	close(s.end)
	delete(s.hub.subs, s)
	if len(s.hub.subs) == 0 {
		s.hub.ring = nil // what nobody can read any more is not kept alive
	}
}
