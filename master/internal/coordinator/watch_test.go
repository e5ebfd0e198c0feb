package coordinator

import (
	"testing"

	"cloudai/master/internal/cluster"
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
