package events_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hubOf makes a hub whose bytes do not count.
func hubOf(size int) *events.Hub[int] {
	return events.NewHub(size, 1, func(int) int { return 0 })
}

func TestDeliversInOrderFromTheSubscriptionOn(t *testing.T) {
	h := hubOf(200)
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
	h := hubOf(100)
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

// What the hub keeps alive is bounded by bytes too: who has fallen behind what is
// left is told to resync, who is quick misses nothing, and the newest event is
// there however large it is.
func TestHubIsBoundedByBytes(t *testing.T) {
	h := events.NewHub(100, 1000, func(bytes int) int { return bytes })
	slow, quick := h.Subscribe(0), h.Subscribe(0)
	defer quick.Close()
	publish := func(bytes ...int) {
		t.Helper()
		for _, n := range bytes {
			h.Publish(n)
			if e, err := quick.Next(t.Context()); err != nil || e.Value != n {
				t.Fatalf("who is quick: %+v, %v", e, err)
			}
		}
	}
	read := func(s *events.Subscription[int], bytes ...int) {
		t.Helper()
		for _, n := range bytes {
			if e, err := s.Next(t.Context()); err != nil || e.Value != n {
				t.Fatalf("within the bound: %+v, %v, want %d", e, err, n)
			}
		}
	}
	publish(400, 400, 200)
	read(slow, 400, 400, 200)
	publish(100, 500, 400) // as many as there is room for
	late := h.Subscribe(0)
	defer late.Close()
	publish(1) // and one more
	for range 2 {
		if _, err := slow.Next(t.Context()); !errors.Is(err, events.ErrResync) {
			t.Fatalf("behind what is left: %v, want ErrResync", err)
		}
	}
	read(late, 1)
	publish(5000)
	read(late, 5000)
	publish(0, 0, 1000, 0)
	read(late, 0, 0, 1000, 0)
	publish(1, 1000)
	if _, err := late.Next(t.Context()); !errors.Is(err, events.ErrResync) {
		t.Fatalf("the first of two: %v, want ErrResync", err)
	}
}

// What falls out is not kept alive, neither by the hub nor by those who were told
// of it.
func TestHubLetsGoOfWhatFallsOut(t *testing.T) {
	const size, most = 1 << 20, 4 << 20
	h := events.NewHub(100, most, func(b *[size]byte) int { return len(b) })
	slow := h.Subscribe(0)
	defer slow.Close()
	var gone atomic.Int32
	for n := range 20 {
		b := new([size]byte)
		runtime.AddCleanup(b, func(int) { gone.Add(1) }, n)
		h.Publish(b)
		if n == 1 { // it takes out no more of the two than it reads
			if _, err := slow.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for gone.Load() < 16 && time.Now().Before(deadline) {
		runtime.GC()
	}
	if n := gone.Load(); n != 16 {
		t.Errorf("%d of 20 are gone, want all but the newest %d", n, most/size)
	}
	runtime.KeepAlive(h)
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
				h := hubOf(4)
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
	h := hubOf(4)
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
	h := hubOf(writes)
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
	h := hubOf(16)
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
	h := hubOf(1024)
	b.ReportAllocs()
	for i := range b.N {
		h.Publish(i)
	}
}

func BenchmarkPublishWithHundredSlowSubscribers(b *testing.B) {
	h := hubOf(1024)
	for range 100 {
		b.Cleanup(h.Subscribe(0).Close)
	}
	b.ReportAllocs()
	for i := range b.N {
		h.Publish(i)
	}
}
