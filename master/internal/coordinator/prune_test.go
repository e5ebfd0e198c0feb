package coordinator

import (
	"context"
	"fmt"
	"testing"
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
				r.c.store = store
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
