package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/db"
)

const batchLength = 8

// slow is a writer whose flush takes a second. It answers odd numbers with nil
// and even ones with errEven.
type slow struct {
	*Queue[int]
	batches [][]int // all that was written
}

var errEven = errors.New("even")

const flush = time.Second

// start has the writer run until the queue is closed.
func start() *slow {
	w := &slow{Queue: New[int](batchLength)}
	go w.run()
	return w
}

func (w *slow) run() {
	defer w.End()
	for {
		select {
		case r := <-w.Handed():
			w.serve(w.Gather(r))
		case <-w.Closing():
			return
		}
	}
}

func (w *slow) serve(batch []*Request[int]) {
	time.Sleep(flush)
	var all []int
	for _, r := range batch {
		for i, n := range r.Changes {
			if all = append(all, n); n%2 == 0 {
				r.Answers[i] = errEven
			}
		}
	}
	w.batches = append(w.batches, all)
	for _, r := range batch {
		r.Done()
	}
}

func (w *slow) want(t *testing.T, batches ...[]int) {
	t.Helper()
	if !slices.EqualFunc(w.batches, batches, slices.Equal) {
		t.Errorf("written: %v, want %v", w.batches, batches)
	}
}

// wantRefused: nothing of it was written, and that is what the caller hears.
func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, db.ErrUnavailable) || errors.Is(err, db.ErrOutcomeUnknown) {
		t.Errorf("%s: %v", what, err)
	}
}

// Nobody is answered before the flush that has the change, and what queues up
// meanwhile shares the next one.
func TestWhatWaitsSharesAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		began := time.Now()
		var callers sync.WaitGroup
		ask := func(n int, want error, after time.Duration) {
			callers.Go(func() {
				if err := w.Change(t.Context(), n); !errors.Is(err, want) || time.Since(began) != after {
					t.Errorf("%d: %v after %s, not %v after %s", n, err, time.Since(began), want, after)
				}
			})
			synctest.Wait() // in its order
		}
		ask(1, nil, flush)
		ask(2, errEven, 2*flush)
		ask(3, nil, 2*flush)
		callers.Wait()
		w.Close()
		slices.Sort(w.batches[1]) // whoever waits may come first
		w.want(t, []int{1}, []int{2, 3})
	})
}

// Many changes go in portions, in their order, each with its own answer, and
// leave room in a batch for somebody else.
func TestManyLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		many := make([]int, 31)
		for i := range many {
			many[i] = 100 + i
		}
		var callers sync.WaitGroup
		var answers []error
		callers.Go(func() { answers = w.ChangeAll(t.Context(), many) })
		synctest.Wait()
		began := time.Now()
		callers.Go(func() {
			if err := w.Change(t.Context(), 1); err != nil || time.Since(began) > 2*flush {
				t.Errorf("one beside many: %v after %s", err, time.Since(began))
			}
		})
		callers.Wait()
		w.Close()
		for i, err := range answers {
			if want := many[i]%2 == 0; errors.Is(err, errEven) != want || !want && err != nil {
				t.Errorf("change %d: %v", many[i], err)
			}
		}
		var written []int
		for _, batch := range w.batches {
			if len(batch) >= batchLength+batchLength/4 {
				t.Errorf("a batch of %d", len(batch))
			}
			written = append(written, batch...)
		}
		if written = slices.DeleteFunc(written, func(n int) bool { return n == 1 }); len(answers) != len(many) || !slices.Equal(written, many) {
			t.Errorf("%d answers for %v", len(answers), written)
		}
		if none := w.ChangeAll(t.Context(), nil); len(none) != 0 {
			t.Errorf("%v for nothing", none)
		}
	})
}

// Who gives up before the writer has taken the change has changed nothing, who
// does so afterwards does not know, and it happens.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		wantRefused(t, "over before it began, with a writer that waits", w.Change(over, 1))
		wantRefused(t, "the same, without a change", w.Pass(over))

		tired := errors.New("tired")
		half, cancelHalf := context.WithTimeoutCause(t.Context(), flush/2, tired)
		defer cancelHalf()
		var callers sync.WaitGroup
		callers.Go(func() {
			if err := w.Change(half, 3); !errors.Is(err, db.ErrOutcomeUnknown) || errors.Is(err, db.ErrUnavailable) || !errors.Is(err, tired) {
				t.Errorf("under way: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			err := w.Change(half, 5)
			wantRefused(t, "still in line", err)
			if !errors.Is(err, tired) {
				t.Errorf("in line: %v does not say why", err)
			}
		})
		callers.Wait()
		time.Sleep(flush)
		w.Close()
		w.want(t, []int{3})
	})
}

// Of many changes those that were taken are of unknown outcome, the others
// were not written.
func TestGivingUpAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		ctx, cancel := context.WithTimeout(t.Context(), flush+flush/2)
		defer cancel()
		// What the writer gathers first is flushed, then up to a batch is under way.
		answers := w.ChangeAll(ctx, slices.Repeat([]int{1}, 4*batchLength))
		time.Sleep(flush)
		w.Close()
		flushed, unknown := len(w.batches[0]), 0
		for i, err := range answers {
			switch {
			case i < flushed:
				if err != nil {
					t.Errorf("change %d: %v", i, err)
				}
			case errors.Is(err, db.ErrOutcomeUnknown):
				unknown++
			default:
				wantRefused(t, fmt.Sprint("change ", i), err)
			}
		}
		written := len(slices.Concat(w.batches...))
		if unknown == 0 || written != flushed+unknown {
			t.Errorf("%d flushed, %d unknown, %d written", flushed, unknown, written)
		}
	})
}

// An answer that is there counts, also when the caller's time is up.
func TestAnswersWin(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // or select would choose
		r := &Request[int]{Changes: []int{1}, Answers: []error{errEven}, done: make(chan struct{})}
		r.Done()
		if err := r.wait(over)[0]; !errors.Is(err, errEven) {
			t.Fatal(err)
		}
	}
}

// What was taken is answered, what waits in line and what comes later is
// refused, and Close waits for the writer.
func TestClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		began := time.Now()
		var callers sync.WaitGroup
		callers.Go(func() {
			if err := w.Change(t.Context(), 1); err != nil {
				t.Errorf("under way: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() { wantRefused(t, "in line", w.Change(t.Context(), 3)) })
		var many []error
		callers.Go(func() { many = w.ChangeAll(t.Context(), make([]int, 3*batchLength)) })
		synctest.Wait()
		w.Close()
		if time.Since(began) != flush {
			t.Errorf("closed after %s", time.Since(began))
		}
		callers.Wait()
		for _, err := range append(many, w.Change(t.Context(), 5), w.Pass(t.Context())) {
			if wantRefused(t, "closed", err); !errors.Is(err, ErrClosed) {
				t.Errorf("%v does not say why", err)
			}
		}
		w.want(t, []int{1})
	})
}

// A turn without a change waits for the writer.
func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start()
		began := time.Now()
		if err := w.Pass(t.Context()); err != nil || time.Since(began) != flush {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		w.Close()
	})
}

// Callers that come, give up and are cut off by Close at any moment: what was
// acknowledged was written once, what was refused was not.
func TestAcknowledgedIsWritten(t *testing.T) {
	const callers, each = 64, 200
	w := &counting{Queue: New[int](batchLength), written: map[int]int{}}
	go w.run()
	answers := make([]error, callers*each)
	var running sync.WaitGroup
	for c := range callers {
		running.Go(func() {
			for i := range each {
				n := c*each + i
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%7)*20*time.Microsecond)
				if n%7 == 0 {
					ctx = t.Context()
				}
				if n%3 == 0 {
					answers[n] = w.Change(ctx, n)
				} else {
					answers[n] = w.ChangeAll(ctx, []int{n})[0]
				}
				cancel()
				if n == callers*each/2+each/2 {
					running.Go(w.Close)
				}
			}
		})
	}
	running.Wait()
	told := map[string]int{}
	for n, err := range answers {
		times := w.written[n]
		switch {
		case err == nil && times == 1:
			told["written"]++
		case errors.Is(err, db.ErrOutcomeUnknown) && !errors.Is(err, db.ErrUnavailable) && times == 1:
			told["unknown"]++
		case errors.Is(err, db.ErrUnavailable) && !errors.Is(err, db.ErrOutcomeUnknown) && times == 0:
			told["refused"]++
		default:
			t.Fatalf("change %d was written %d times; the caller heard %v", n, times, err)
		}
	}
	t.Log(told)
	if told["written"] == 0 || told["refused"] == 0 {
		t.Error("nothing was put to the test")
	}
}

// counting counts how often each change is written.
type counting struct {
	*Queue[int]
	written map[int]int
}

func (w *counting) run() {
	defer w.End()
	for {
		select {
		case r := <-w.Handed():
			for _, r := range w.Gather(r) {
				for _, n := range r.Changes {
					w.written[n]++
				}
				r.Done()
			}
		case <-w.Closing():
			return
		}
	}
}
