package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/retention"
)

// A watcher sees its own tasks and what becomes of them, and nobody else's.
func TestWatchTasks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		before := r.submit()
		views, changes, err := r.c.WatchTasks(t.Context(), ann, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer changes.Close()
		if len(views) != 1 || views[0].ID != before {
			t.Fatalf("%+v", views)
		}
		after := r.submit()
		for {
			e, err := changes.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e.Value.Task == nil || e.Value.Task.Task.ID != after {
				continue
			}
			now := r.c.Newest(ann, []cluster.Task{e.Value.Task.Task})
			if len(now) != 1 || now[0].ID != after || now[0].Version < e.Value.Task.Task.Version {
				t.Errorf("%+v", now)
			}
			if others := r.c.Newest(cluster.Principal{UserID: "eve", Role: cluster.RoleUser}, []cluster.Task{e.Value.Task.Task}); len(others) > 0 {
				t.Errorf("another sees %+v", others)
			}
			break
		}
	})
}

// Whoever deletes the files of a task is heard before its end, though it is
// pruned as soon as it may be.
func TestTaskThatIsEditedIsNotPruned(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.finished(time.Hour)
		policy := retention.Policy{Tasks: ageOf(0)}
		during := make(chan PruneReport, 1)
		r.through(&steppingStore{Store: r.store, between: func(step int) {
			if step == 1 { // the deletion is on its way to the store
				during <- r.prune(policy, false)
			}
		}})
		watch := r.c.hub.Subscribe(0)
		defer watch.Close()
		if err := r.c.DeleteFiles(t.Context(), ann, id); err != nil {
			t.Fatal(err)
		}
		if report := <-during; report.Tasks != 0 || report.Kept != 1 {
			t.Errorf("pruned meanwhile: %+v", report)
		}
		if e := r.heard(watch)[id]; e.Task == nil || !e.Task.Task.Files.Deleted {
			t.Errorf("what was heard of it: %+v", e)
		}
		again := r.c.hub.Subscribe(0)
		defer again.Close()
		if report := r.prune(policy, false); report.Tasks != 1 || len(r.c.editing) != 0 {
			t.Errorf("afterwards: %+v", report)
		}
		if e := r.heard(again)[id]; e.Removed == nil || e.Removed.UserID != ann.UserID {
			t.Errorf("what was heard of its end: %+v", e)
		}
	})
}
