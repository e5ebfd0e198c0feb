package coordinator

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
)

// What a container used is there while it runs, after its end and in the next
// life of the master.
func TestUsageOutlivesTheTask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		id := r.submit()
		ref := r.client.order(t, 0).Ref
		report := func(seconds, memory float64) {
			err := r.c.Progress(t.Context(), ProgressReport{
				Caller: from("w", "s1"), Ref: ref, CPU: 0.5, Memory: memory,
				Observation: cluster.Observation{States: upTo(cluster.StateRunning, time.Now()), Usage: cluster.Usage{CPUSeconds: seconds}},
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		report(0, 0) // not measured yet
		report(1, 10)
		report(1, 10) // the same measurement again
		report(2, 20)
		check := func(when string) {
			t.Helper()
			v, err := r.c.TaskUsage(t.Context(), ann, id, 0)
			if err != nil || v.Attempt != 1 || v.Limits.CPU != 1 || len(v.Samples) != 2 || v.Samples[1].Memory != 20 || v.Samples[0].CPU != 0.5 {
				t.Fatalf("%s: %+v, %v", when, v, err)
			}
		}
		check("while it runs")
		if _, err := r.c.TaskUsage(t.Context(), bob, id, 0); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("another's: %v", err)
		}
		if _, err := r.c.TaskUsage(t.Context(), ann, id, 2); !errors.Is(err, cluster.ErrInvalid) {
			t.Fatalf("an attempt that there was not: %v", err)
		}
		if err := r.complete(ref, "s1"); err != nil {
			t.Fatal(err)
		}
		check("after its end")
		r.restart()
		check("in the next life")
	})
}

func TestWorkerHistory(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		for n := range historySize + 10 {
			if _, err := r.beat("w", "s1", uint64(n+1), func(h *Heartbeat) { h.Use.Memory = int64(n) }); err != nil {
				t.Fatal(err)
			}
		}
		_, samples, err := r.c.WorkerHistory(t.Context(), ann, "w")
		if err != nil || len(samples) != historySize || samples[0].Memory != 10 || samples[0].Time.IsZero() {
			t.Fatalf("%d samples from %+v, %v", len(samples), samples[0], err)
		}
		if _, _, err := r.c.WorkerHistory(t.Context(), ann, "x"); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatal(err)
		}
	})
}

func TestWorkerTasksAreOnesOwn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		id := r.submit()
		list := func(p cluster.Principal, w cluster.WorkerID) ([]TaskView, error) {
			views, _, err := r.c.WorkerTasks(t.Context(), p, w, cluster.TaskFilter{}, cluster.Page{Limit: 10})
			return views, err
		}
		for p, want := range map[cluster.UserID]int{"ann": 1, "bob": 0} {
			if views, err := list(cluster.Principal{UserID: p, Role: cluster.RoleUser}, "w"); err != nil || len(views) != want {
				t.Fatalf("%s sees %d, %v", p, len(views), err)
			}
		}
		if views, _ := list(admin, "w"); len(views) != 1 || views[0].ID != id {
			t.Fatalf("%+v", views)
		}
		if _, err := list(admin, "x"); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatal(err)
		}
	})
}

// A watcher has a snapshot and misses nothing after it.
func TestWatchWorkers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		views, changes := r.c.WatchWorkers(t.Context(), ann)
		defer changes.Close()
		if len(views) != 1 || views[0].ID != "w" {
			t.Fatalf("%+v", views)
		}
		if _, err := r.beat("w", "s1", 1); err != nil {
			t.Fatal(err)
		}
		e, err := changes.Next(t.Context())
		if err != nil || e.Value.Worker == nil || *e.Value.Worker != "w" {
			t.Fatalf("%+v, %v", e, err)
		}
		id := r.submit()
		synctest.Wait()
		for {
			e, err := changes.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c := e.Value.Task; c != nil && c.Task.ID == id && c.Task.WorkerID == "w" {
				return
			}
		}
	})
}
