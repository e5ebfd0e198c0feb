package coordinator

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/retention"
)

// steppingStore counts the steps of a pruning, and has somebody else do something
// in each.
type steppingStore struct {
	db.Store
	between func(step int)
	steps   int
	largest int
	pages   int
}

func (s *steppingStore) step(n int) {
	s.steps++
	s.largest = max(s.largest, n)
	s.between(s.steps)
}

func (s *steppingStore) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	s.step(len(rows))
	return s.Store.DeleteTasks(ctx, rows)
}

func (s *steppingStore) Commit(ctx context.Context, writes []db.Write) []error {
	if len(writes) > 0 && writes[0].Task.Terminal() {
		s.step(len(writes))
	}
	return s.Store.Commit(ctx, writes)
}

func (s *steppingStore) ListTasks(ctx context.Context, f cluster.TaskFilter, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	s.pages++
	s.largest = max(s.largest, p.Limit)
	return s.Store.ListTasks(ctx, f, p)
}

// Ten thousand tasks go in steps of a bounded size; within each of them others
// submit and are answered before it ends, and lose nothing by it.
func TestPruneOfManyLetsOthersPass(t *testing.T) {
	for name, c := range map[string]struct {
		many   int
		policy retention.Policy
	}{
		"tasks": {10_000, retention.Policy{Tasks: ageOf(time.Hour)}},
		"files": {1000, retention.Policy{Files: ageOf(time.Hour)}},
		"size":  {1000, retention.Policy{Bytes: new(int64)}},
	} {
		t.Run(name, func(t *testing.T) {
			many := c.many
			bubble(t, func(t *testing.T, r *rig) {
				for range many {
					r.finished(2 * time.Hour)
				}
				var submitted []cluster.TaskID
				store := &steppingStore{Store: r.store}
				store.between = func(step int) {
					v, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i", Name: fmt.Sprint("in step ", step)}, Once{})
					if err != nil {
						t.Fatal(err)
					}
					submitted = append(submitted, v.ID)
				}
				r.through(store)
				report := r.prune(c.policy, false)
				if report.Tasks+report.Files.Tasks < many {
					t.Errorf("%+v", report)
				}
				if want := many / pruneStep; store.steps != want || len(submitted) != want {
					t.Errorf("%d steps, %d submits in them, want %d", store.steps, len(submitted), want)
				}
				if store.largest > pruneStep || store.pages > 4*many/pruneStep {
					t.Errorf("up to %d at once, %d pages", store.largest, store.pages)
				}
				for _, id := range submitted {
					if v := r.task(id); v.State != cluster.StateQueued {
						t.Errorf("%s is %s", id, v.State)
					}
				}
			})
		})
	}
}

// F02: the key of a request outlives what it has made, and what it was made from:
// the repeat hears the first reply, and nothing runs again.
func TestF02RepeatAfterThePrune(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		first, reply, err := r.send(ann, "k", "x")
		if err != nil {
			t.Fatal(err)
		}
		ended := r.finished(0)
		again, err := r.c.Retry(t.Context(), ann, ended, named("r", "retry"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, id := range []cluster.TaskID{first, again.ID} {
			if err := r.complete(r.task(id).Ref(), "s"); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.prune(retention.Policy{Tasks: ageOf(0)}, false); got.Tasks != 3 {
			t.Fatalf("%+v", got)
		}
		if id, kept, err := r.send(ann, "k", "x"); id != first || kept != reply || err != nil {
			t.Errorf("the submit again: %s %q, %v; first %s %q", id, kept, err, first, reply)
		}
		if got, err := r.c.Retry(t.Context(), ann, ended, named("r", "retry")); err != nil || got.ID != again.ID || got.Kept == nil {
			t.Errorf("the retry again: %s %q, %v", got.ID, got.Kept, err)
		}
		_, err = r.c.Retry(t.Context(), ann, ended, named("new", "retry"))
		r.wantErr("a retry of what is gone", err, cluster.ErrNotFound)
		_, err = r.c.Retry(t.Context(), bob, ended, named("r", "retry"))
		r.wantErr("another's key", err, cluster.ErrNotFound)
		if n := r.tasks(); n != 0 {
			t.Errorf("%d tasks", n)
		}
	})
}
