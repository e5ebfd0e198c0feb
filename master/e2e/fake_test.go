//go:build engine

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// Two equal workers share the work evenly, and none takes more than it has.
func TestSpreading(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"w1", "w2"} {
		w.fakeWorker(t, id, "WORKER_CPU=5", "WORKER_MEMORY=100000", "WORKER_STORAGE=100000")
	}
	var ids []string
	for range 12 {
		r := w.small("")
		r.CPURequired, r.Env = ptr(1.0), map[string]string{"FAKE_SLEEP": "1h"}
		ids = append(ids, w.submit(t, r))
	}
	await(t, verdict, func(ctx context.Context) error {
		about, err := w.API().Cluster(ctx)
		if err == nil && (about.Tasks["running"] != 10 || about.Tasks["queued"] != 2) {
			err = fmt.Errorf("the tasks are %v", about.Tasks)
		}
		return err
	})
	on := map[string]int{}
	for _, id := range ids {
		on[w.task(t, id).WorkerID]++
	}
	if on["w1"] != 5 || on["w2"] != 5 {
		t.Errorf("the tasks are spread as %v", on)
	}
	for _, id := range ids {
		_, err := w.API().Cancel(t.Context(), id)
		must(t, err)
	}
	for _, id := range ids {
		if task := w.ended(t, id); task.Status != "cancelled" {
			t.Error(describe(task))
		}
	}
	for worker, err := range w.API().Workers(t.Context()) {
		must(t, err)
		if worker.Allocated != (client.Resources{}) {
			t.Errorf("worker %s still has %+v allocated", worker.WorkerID, worker.Allocated)
		}
	}
}

// Two thousand tasks in one go are all stored, each after one attempt and with
// its whole life.
func TestManyTasks(t *testing.T) {
	const tasks, submitters = 2000, 16
	w := newWorld(t)
	for _, id := range []string{"w1", "w2"} {
		w.fakeWorker(t, id, "WORKER_CPU=64", "WORKER_MEMORY=1000000", "WORKER_STORAGE=1000000")
	}
	ids := make([]string, tasks)
	var group sync.WaitGroup
	for s := range submitters {
		group.Go(func() {
			for n := s; n < tasks; n += submitters {
				r := w.small("")
				r.Name, r.Env = fmt.Sprint(n), map[string]string{"FAKE_LOG_LINES": "3"}
				task, err := w.API().Submit(t.Context(), r)
				if err != nil {
					t.Errorf("task %d: %v", n, err)
					return
				}
				ids[n] = task.TaskID
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	await(t, 5*time.Minute, func(ctx context.Context) error {
		about, err := w.API().Cluster(ctx)
		if err == nil && about.Tasks["succeeded"] != tasks {
			err = fmt.Errorf("the tasks are %v", about.Tasks)
		}
		return err
	})
	for n := 0; n < tasks; n += 50 {
		w.succeeded(t, ids[n])
		if log := w.log(t, ids[n], "stdout"); len(log) != 48 {
			t.Errorf("task %d: the log has %d bytes", n, len(log))
		}
	}
	seen := map[string]bool{}
	for task, err := range w.API().Tasks(t.Context(), client.TaskQuery{Status: []string{"succeeded"}}) {
		must(t, err)
		seen[task.TaskID] = true
		if task.Attempt != 1 {
			t.Errorf("task %s: %s", task.TaskID, describe(task))
		}
	}
	if len(seen) != tasks {
		t.Errorf("the list has %d tasks", len(seen))
	}
}
