//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// A worker that falls silent is lost after the deadline and its tasks run again
// elsewhere. When it wakes it is fenced: what it did in the meantime counts for
// nothing, and its containers go.
func TestWorkerSilent(t *testing.T) {
	const deadline = 2 * time.Second
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT="+deadline.String())
	silent := w.dockerWorker(t, "w1", "WORKER_CPU=2")
	program := `echo "on $HOSTNAME" >/output/where`
	ended, going := w.submit(t, w.gated("", program)), w.submit(t, w.gated("", program))
	first := map[string]string{}
	for _, id := range []string{ended, going} {
		w.becomes(t, id, "running")
		first[id] = w.containerOf(t, id)
	}
	w.dockerWorker(t, "w2", "WORKER_CPU=2")

	began := time.Now()
	must(t, silent.Signal(syscall.SIGSTOP))
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "lost") })
	if took := time.Since(began); took > deadline+time.Second+deadline/4 {
		t.Errorf("it was lost only after %s", took)
	}
	second := map[string]string{}
	for _, id := range []string{ended, going} {
		second[id] = w.secondRun(t, id, first[id])
	}
	// One of the stale containers has a result by now, the other runs on.
	w.open(t, first[ended])
	await(t, verdict, w.exited(first[ended]))

	must(t, silent.Signal(syscall.SIGCONT))
	for _, id := range []string{ended, going} {
		await(t, verdict, w.removed(first[id]))
		w.open(t, second[id])
	}
	for _, id := range []string{ended, going} {
		task := w.ended(t, id)
		if task.Status != "succeeded" || task.Attempt != 2 || task.WorkerID != "w2" || len(task.Attempts) != 2 {
			t.Fatalf("%s, attempts %+v", describe(task), task.Attempts)
		}
		if a := task.Attempts[0]; a.WorkerID != "w1" || a.Failure != "worker_lost" {
			t.Errorf("the first attempt is %+v", a)
		}
		if got, want := w.output(t, id, "where"), fmt.Sprintf("on %.12s\n", second[id]); got != want {
			t.Errorf("the output is %q, want that of the second attempt: %q", got, want)
		}
	}
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "active") })
}

// secondRun waits for a container of the task that is not the first one.
func (w *world) secondRun(t *testing.T, task, first string) (id string) {
	t.Helper()
	await(t, verdict, func(ctx context.Context) error {
		now, err := w.API().Task(ctx, task)
		if err != nil {
			return err
		}
		if now.Attempt != 2 || now.Status != "running" {
			return errors.New(describe(now))
		}
		all, err := w.engine.Containers(ctx)
		for _, c := range all {
			if c.Labels["cloudai.task_id"] == task && c.ID != first {
				id = c.ID
				return nil
			}
		}
		return errors.Join(err, errors.New("there is no second container"))
	})
	return id
}

// removed is nil when the engine has no such container any more.
func (w *world) removed(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := w.engine.Containers(ctx)
		for _, c := range all {
			if c.ID == id {
				err = fmt.Errorf("container %.12s is still there: %s", id, c.Status)
			}
		}
		return err
	}
}
