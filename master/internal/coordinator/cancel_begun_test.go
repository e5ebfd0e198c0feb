package coordinator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
)

// mortalStore carries so many more writes out, tasks and keys; then it is gone.
type mortalStore struct {
	db.Store
	mu   sync.Mutex
	left int
}

// take gives how many of n more writes are carried out.
func (s *mortalStore) take(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.left)
	s.left -= n
	return n
}

func (s *mortalStore) Commit(ctx context.Context, writes []db.Write) []error {
	n := s.take(len(writes))
	errs := s.Store.Commit(ctx, writes[:n])
	return append(errs, slices.Repeat([]error{db.ErrUnavailable}, len(writes)-n)...)
}

func (s *mortalStore) PutKey(ctx context.Context, k db.Key) error {
	if s.take(1) == 0 {
		return db.ErrUnavailable
	}
	return s.Store.PutKey(ctx, k)
}

// cancelAll is the request that is cut off.
func (r *rig) cancelAll(print string) (CancelReport, []byte, error) {
	report, kept, err := r.c.CancelTasks(r.t.Context(), ann, CancelRequest{}, counted("k", print))
	synctest.Wait()
	return report, kept, err
}

// someToStop are four tasks that wait and three that are placed, one of which
// somebody else has asked to stop already.
func (r *rig) someToStop() {
	r.t.Helper()
	r.join("w", "s")
	for range 3 {
		r.submit()
	}
	if _, err := r.c.Cancel(r.t.Context(), admin, r.client.order(r.t, 0).Ref.TaskID); err != nil {
		r.t.Fatal(err)
	}
	if _, _, err := r.c.SubmitBatch(r.t.Context(), ann, hungry(4), true, Named[[]BatchItem]{}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// endStopped has the worker end those of the placed tasks that were asked to stop.
func (r *rig) endStopped() {
	r.t.Helper()
	for n := range 3 {
		ref := r.client.order(r.t, n).Ref
		if !r.task(ref.TaskID).CancelRequested {
			continue
		}
		if err := r.complete(ref, "s"); err != nil || r.task(ref.TaskID).Status() != cluster.StatusCancelled {
			r.t.Fatalf("%s, %v", r.task(ref.TaskID).Status(), err)
		}
	}
}

// F01: the master dies after any write of a cancel of many. The repeat stops what
// the first request meant, neither more nor less, and counts the whole, whether the
// first had stopped a task or the repeat does, and also when it is over by then.
func TestF01CancelManyIsCompleted(t *testing.T) {
	whole := CancelReport{Matched: 7, Cancelled: 4, Requested: 3}
	const writes = 1 + 6 + 1 // what is meant, the tasks that are not asked to stop yet, the reply
	for carriedOut := range writes + 1 {
		t.Run(fmt.Sprint(carriedOut, " writes"), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.someToStop()
				r.through(&mortalStore{Store: r.store, left: carriedOut})
				first, _, err := r.cancelAll("x")
				if ended := carriedOut == writes; ended != (err == nil) || ended && first != whole {
					t.Fatalf("%+v, %v", first, err)
				}
				r.via = nil
				r.restart()
				later := r.submit()
				r.join("w", "s")
				r.endStopped()
				if carriedOut > 0 {
					_, _, err = r.cancelAll("y")
					r.wantErr("another request", err, cluster.ErrInvalid)
				}
				// Of the first request nothing may be there: then as many are meant by
				// the repeat, one that has come instead of one that is over.
				second, kept, err := r.cancelAll("x")
				if err != nil || (kept != nil) != (carriedOut == writes) || kept == nil && second != whole {
					t.Fatalf("the repeat: %+v %q %v, want %+v", second, kept, err, whole)
				}
				if stopped := r.task(later).CancelRequested; stopped != (carriedOut == 0) {
					t.Errorf("a task that came in between is asked to stop: %v", stopped)
				}
				if _, kept, err = r.cancelAll("x"); err != nil || string(kept) != fmt.Sprint(whole) {
					t.Errorf("the third: %q %v, want %+v", kept, err, whole)
				}
			})
		})
	}
}

// F01: the same in one life of the master: the store fails at any of its calls, and
// nobody knows what has come of it.
func TestF01CancelManyOverAStoreThatFails(t *testing.T) {
	const n = cancelStep + 5
	for name, fault := range map[string]faultstore.Fault{
		"refused": faultstore.Refused, "unknown, lost": faultstore.UnknownLost,
		"unknown, some done": {Err: db.ErrOutcomeUnknown, Done: 100},
	} {
		for call := range 4 { // what is meant, two steps, the reply
			t.Run(fmt.Sprintf("%s, call %d", name, call+1), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					if _, _, err := r.c.SubmitBatch(t.Context(), ann, hungry(n), true, Named[[]BatchItem]{}); err != nil {
						t.Fatal(err)
					}
					store := faultstore.New(r.store)
					r.through(store)
					store.FailWriteAt(call+1, fault)
					_, _, err := r.cancelAll("x")
					r.wantErr("the first", err, cluster.ErrUnavailable)
					whole := CancelReport{Matched: n, Cancelled: n}
					repeat, kept, err := r.cancelAll("x")
					if err != nil || kept == nil && repeat != whole || kept != nil && string(kept) != fmt.Sprint(whole) {
						t.Fatalf("%+v %q %v, want %+v", repeat, kept, err, whole)
					}
					if _, kept, err = r.cancelAll("x"); err != nil || string(kept) != fmt.Sprint(whole) {
						t.Errorf("the third: %q %v", kept, err)
					}
				})
			})
		}
	}
}

// What ended by itself before it was reached, and what is pruned by the time of
// the repeat, is in no count.
func TestF01CancelManyLeavesOutWhatWasOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		ended, gone, waits := r.submit(), r.submit(), r.submit()
		r.through(&mortalStore{Store: r.store, left: 1})
		_, _, err := r.cancelAll("x")
		r.wantErr("the first", err, cluster.ErrUnavailable)
		r.through(nil)
		r.join("w", "s", running(r.task(ended).Ref(), cluster.StateRunning), running(r.task(gone).Ref(), cluster.StateRunning))
		for _, id := range []cluster.TaskID{ended, gone} {
			if err := r.complete(r.task(id).Ref(), "s"); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.store.DeleteTasks(t.Context(), []db.TaskVersion{{ID: gone, Version: r.task(gone).Version}})[0]; err != nil {
			t.Fatal(err)
		}
		if got, _, err := r.cancelAll("x"); err != nil || got != (CancelReport{Matched: 1, Requested: 1}) {
			t.Errorf("%+v %v", got, err)
		}
		if !r.task(waits).CancelRequested || r.task(ended).Status() != cluster.StatusSucceeded {
			t.Errorf("%s, %s", r.task(waits).Status(), r.task(ended).Status())
		}
	})
}

// More ids than fit in one row: they count when all rows are there.
func TestCancelManyRemembersAnyNumber(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var ids []cluster.TaskID
		for n := range begunIDs + 1 {
			ids = append(ids, cluster.TaskID(fmt.Sprint(n)))
		}
		name := db.KeyName{UserID: ann.UserID, Route: routeCancelBegun, Key: "k"}
		meant := func() ([]cluster.TaskID, bool) {
			t.Helper()
			got, again, err := r.c.meant(t.Context(), ann, CancelRequest{}, counted("k", "x"))
			if err != nil {
				t.Fatal(err)
			}
			return got, again
		}
		for left := range 2 {
			r.through(&mortalStore{Store: r.store, left: left})
			r.wantErr("a row is missing", r.c.begin(t.Context(), name, "x", ids), cluster.ErrUnavailable)
			if got, again := meant(); again || len(got) > 0 {
				t.Fatalf("with %d rows: %d, %v", left, len(got), again)
			}
		}
		r.through(nil)
		if err := r.c.begin(t.Context(), name, "x", ids); err != nil {
			t.Fatal(err)
		}
		if got, again := meant(); !again || !slices.Equal(got, ids) {
			t.Errorf("%d of %d, %v", len(got), len(ids), again)
		}
	})
}
