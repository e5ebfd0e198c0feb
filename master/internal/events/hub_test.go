package events_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"cloudai/master/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDeliversInOrderFromTheSubscriptionOn(t *testing.T) {
	h := events.NewHub[int](200)
	h.Publish(-1)
	s := h.Subscribe(0)
	defer s.Close()
	if s.Start() != 1 {
		t.Fatalf("start %d, want 1", s.Start())
	}
	for i := range 150 {
		h.Publish(i)
	}
	for i := range 150 {
		e, err := s.Next(t.Context())
		if err != nil || e.Value != i || e.Seq != uint64(i+2) {
			t.Fatalf("event %d: %+v, %v", i, e, err)
		}
	}
}

func TestSlowSubscriberIsToldToResyncAndHoldsNobodyUp(t *testing.T) {
	h := events.NewHub[int](100)
	slow, quick := h.Subscribe(10), h.Subscribe(0)
	defer quick.Close()
	for i := range 10 {
		h.Publish(i)
	}
	if e, err := slow.Next(t.Context()); err != nil || e.Value != 0 {
		t.Fatalf("within its buffer: %+v, %v", e, err)
	}
	// The ten were taken out in one go; eleven more are one too many.
	for i := range 11 {
		h.Publish(10 + i)
	}
	for i := 1; i < 10; i++ {
		if e, err := slow.Next(t.Context()); err != nil || e.Value != i {
			t.Fatalf("taken out before: %+v, %v", e, err)
		}
	}
	for range 2 {
		if _, err := slow.Next(t.Context()); !errors.Is(err, events.ErrResync) {
			t.Fatalf("got %v, want ErrResync", err)
		}
	}
	for i := range 21 {
		if e, err := quick.Next(t.Context()); err != nil || e.Value != i {
			t.Fatalf("the other subscriber: %+v, %v", e, err)
		}
	}
	if n := h.Subscribers(); n != 1 {
		t.Fatalf("%d subscribers, want 1", n)
	}
}

func TestWaitingNextEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(*events.Hub[int], *events.Subscription[int], context.CancelFunc)
		want error
	}{
		{"subscription closed", func(_ *events.Hub[int], s *events.Subscription[int], _ context.CancelFunc) { s.Close() }, events.ErrClosed},
		{"hub closed", func(h *events.Hub[int], _ *events.Subscription[int], _ context.CancelFunc) { h.Close() }, events.ErrClosed},
		{"context done", func(_ *events.Hub[int], _ *events.Subscription[int], c context.CancelFunc) { c() }, context.Canceled},
		{"event", func(h *events.Hub[int], _ *events.Subscription[int], _ context.CancelFunc) { h.Publish(7) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := events.NewHub[int](4)
				s := h.Subscribe(0)
				defer s.Close()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				got := make(chan error, 1)
				go func() {
					_, err := s.Next(ctx)
					got <- err
				}()
				synctest.Wait()
				tt.end(h, s, cancel)
				if err := <-got; !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestSubscribeAfterClose(t *testing.T) {
	h := events.NewHub[int](4)
	h.Close()
	h.Publish(1)
	if _, err := h.Subscribe(0).Next(t.Context()); !errors.Is(err, events.ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

// TestSnapshotThenDeltas is the pattern that Subscribe describes: whatever the
// moment, copy and deltas together are the state.
func TestSnapshotThenDeltas(t *testing.T) {
	const writes = 2000
	h := events.NewHub[int](writes)
	var mu sync.Mutex
	sum := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= writes; i++ {
			mu.Lock()
			sum += i
			h.Publish(i)
			mu.Unlock()
		}
	})
	for range 4 {
		wg.Go(func() {
			mu.Lock()
			s, copied := h.Subscribe(0), sum
			mu.Unlock()
			defer s.Close()
			for seq := s.Start(); seq < writes; {
				e, err := s.Next(t.Context())
				if err != nil || e.Seq != seq+1 {
					t.Errorf("after %d: %+v, %v", seq, e, err)
					return
				}
				seq = e.Seq
				copied += e.Value
			}
			if want := writes * (writes + 1) / 2; copied != want {
				t.Errorf("sum %d, want %d", copied, want)
			}
		})
	}
	wg.Wait()
}

func TestComingsAndGoingsUnderLoad(t *testing.T) {
	h := events.NewHub[int](16)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 3000 {
				h.Publish(i)
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 50 {
				s := h.Subscribe(8)
				last := s.Start()
				ctx, cancel := context.WithCancel(t.Context())
				go s.Close()
				for {
					e, err := s.Next(ctx)
					if err != nil {
						break
					}
					if e.Seq != last+1 {
						t.Errorf("hole: %d after %d", e.Seq, last)
					}
					last = e.Seq
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if n := h.Subscribers(); n != 0 {
		t.Fatalf("%d subscribers left", n)
	}
}

func BenchmarkPublishWithoutSubscribers(b *testing.B) {
	h := events.NewHub[int](1024)
	b.ReportAllocs()
	for i := range b.N {
		h.Publish(i)
	}
}

func BenchmarkPublishWithHundredSlowSubscribers(b *testing.B) {
	h := events.NewHub[int](1024)
	for range 100 {
		b.Cleanup(h.Subscribe(0).Close)
	}
	b.ReportAllocs()
	for i := range b.N {
		h.Publish(i)
	}
}
