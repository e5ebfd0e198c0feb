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

// apiBack is how soon after a crash the master has to be of use again.
const apiBack = 5 * time.Second

// However many tasks wait, a master that was killed is soon of use again: it
// is ready, takes a task, lists them, and says where one waits.
func TestF03SoakQueuedTasks(t *testing.T) {
	tasks := amount(100_000, 15_000)
	w := newWorld(t, byDefault)
	worker := w.fakeWorker(t, "w1", "WORKER_CPU=2")
	busy := []string{w.submit(t, w.forever()), w.submit(t, w.forever())}
	for _, id := range busy {
		w.becomes(t, id, "running")
	}
	began := time.Now()
	last := w.fill(t, tasks)
	measured.row(fmt.Sprintf("%d submits, each on the disk, by %d clients", tasks, fillers),
		fmt.Sprintf("%.0f /s", float64(tasks)/time.Since(began).Seconds()), "")

	var worst time.Duration
	for round := range 3 {
		must(t, w.Master.Kill())
		began := time.Now()
		must(t, w.StartMaster(t.Context()))
		ready := time.Since(began)
		w.useful(t, last)
		took := time.Since(began)
		t.Logf("start %d: ready after %v, of use after %v", round+1, milliseconds(ready), milliseconds(took))
		worst = max(worst, took)
		tasks++ // that useful has submitted
	}
	atMost(t, fmt.Sprintf("SIGKILL with %d queued tasks to ready, a submit, a page of the list and a task's place", tasks),
		milliseconds(worst), apiBack)

	if about, err := w.API().Cluster(t.Context()); err != nil || about.QueueLength != tasks || about.Tasks["running"] != 2 {
		t.Errorf("after the crashes the queue has %d of %d tasks: %v, %v", about.QueueLength, tasks, about.Tasks, err)
	}
	for _, id := range busy { // they were adopted
		if task := w.task(t, id); task.Status != "running" || task.Attempt != 1 {
			t.Error(describe(task))
		}
	}
	// A second comparison of so many tasks with the store comes only after a
	// rest of minutes, so the one that has begun at the start has to do.
	await(t, 2*verdict, w.compared)
	must(t, w.Master.Term(orderly))
	must(t, w.Vanish(worker))
}

// compared is nil when this master has compared all tasks with the store, and
// found nothing.
func (w *world) compared(ctx context.Context) error {
	health, err := w.API().Health(ctx)
	if err != nil {
		return err
	}
	if found := health.Invariants; found == nil || found.SweptAt == nil || found.Violations > 0 || found.Pending > 0 {
		return fmt.Errorf("the invariants: %+v", found)
	}
	return nil
}

// forever is a task that ends only when it is cancelled; for a fake worker.
func (w *world) forever() client.TaskRequest {
	r := w.small("")
	r.CPURequired, r.Env = ptr(1.0), map[string]string{"FAKE_SLEEP": "1000h"}
	return r
}

// fillers is how many clients fill a queue.
const fillers = 16

// fill submits tasks that do not fit beside others on a worker with two cores,
// and gives one of the last.
func (w *world) fill(t *testing.T, tasks int) (last string) {
	t.Helper()
	var group sync.WaitGroup
	for f := range fillers {
		group.Go(func() {
			for n := f; n < tasks; n += fillers {
				r := w.small("")
				r.CPURequired = ptr(2.0)
				task, err := w.API().Submit(t.Context(), r)
				if err != nil {
					t.Errorf("task %d: %v", n, err)
					return
				}
				if n == tasks-1 {
					last = task.TaskID
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return last
}

// useful has a master do what people need first, of which the last task waits
// in the queue.
func (w *world) useful(t *testing.T, last string) {
	t.Helper()
	r := w.small("")
	r.CPURequired = ptr(2.0)
	w.submit(t, r)
	page, err := w.API().TaskPage(t.Context(), client.TaskQuery{Status: []string{"queued"}}, 50, "")
	if err != nil || len(page.Items) != 50 || page.NextCursor == "" {
		t.Fatalf("a page has %d tasks, cursor %q, %v", len(page.Items), page.NextCursor, err)
	}
	if task := w.task(t, last); task.Status != "queued" || task.QueuePosition == nil || *task.QueuePosition < 2 {
		t.Errorf("the last task is at %v: %s", task.QueuePosition, describe(task))
	}
}
