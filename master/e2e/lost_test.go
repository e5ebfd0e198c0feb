//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that is suspended is lost after the deadline and its tasks run again
// elsewhere. When it wakes it is fenced: what it did in the meantime counts for
// nothing, and its containers go.
func TestF06WorkerSuspended(t *testing.T) { onEachStore(t, testWorkerSuspended) }

func testWorkerSuspended(t *testing.T, store ...string) {
	w := newWorld(t, append(store, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT="+lostAfter.String())...)
	silent := w.dockerWorker(t, "w1", "WORKER_CPU=2")
	w.fenced(t,
		func() { must(t, silent.Signal(syscall.SIGSTOP)) },
		func() { must(t, silent.Signal(syscall.SIGCONT)) })
}

// The same with a worker that goes on working while nobody hears it.
func TestF06WorkerCutOff(t *testing.T) {
	h := newHost(t)
	w := worldOn(t, h, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT="+lostAfter.String())
	w.farWorker(t, h, "w1", "WORKER_CPU=2")
	w.fenced(t,
		func() { must(t, h.Cut(t.Context())) },
		func() { must(t, h.Heal(t.Context())) })
}

// lostAfter is the deadline of these worlds.
const lostAfter = 2 * time.Second

// fenced has worker w1 fall silent with two tasks and return: when it does, one
// of them is over elsewhere, the other one runs there.
func (w *world) fenced(t *testing.T, silence, wake func()) {
	t.Helper()
	program := `echo "on $HOSTNAME" | tee /output/where`
	ended, going := w.submit(t, w.gated("echo begin", program)), w.submit(t, w.gated("echo begin", program))
	first := map[string]string{}
	for _, id := range []string{ended, going} {
		w.becomes(t, id, "running")
		w.logHas(t, id, "begin\n") // which is known by the time of its silence
		first[id] = w.containerOf(t, id)
	}
	w.dockerWorker(t, "w2", "WORKER_CPU=2", "ADVERTISE_ADDR=127.0.0.1")

	began := time.Now()
	silence()
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "lost") })
	if took := time.Since(began); took > lostAfter+time.Second+lostAfter/4 {
		t.Errorf("it was lost only after %s", took)
	}
	second := map[string]string{}
	for _, id := range []string{ended, going} {
		second[id] = w.secondRun(t, id, first[id])
	}
	w.open(t, second[ended])
	w.ended(t, ended)
	// One of the stale containers has a result by now, the other runs on.
	w.open(t, first[ended])
	await(t, verdict, w.exited(first[ended]))
	if task := w.task(t, ended); task.Status != "succeeded" {
		t.Errorf("before the return: %s", describe(task))
	}

	wake()
	for _, id := range []string{ended, going} {
		await(t, verdict, w.removed(first[id]))
	}
	if task := w.task(t, going); task.Status != "running" || task.Attempt != 2 {
		t.Errorf("after the return: %s", describe(task))
	}
	w.open(t, second[going])
	for _, id := range []string{ended, going} {
		task := w.ended(t, id)
		if task.Status != "succeeded" || task.Attempt != 2 || task.WorkerID != "w2" || len(task.Attempts) != 2 {
			t.Fatalf("%s, attempts %+v", describe(task), task.Attempts)
		}
		if a := task.Attempts[0]; a.WorkerID != "w1" || a.Failure != "worker_lost" || a.Outcome != "failed" {
			t.Errorf("the first attempt is %+v", a)
		}
		on := fmt.Sprintf("on %.12s\n", second[id])
		if got := w.output(t, id, "where"); got != on {
			t.Errorf("the output is %q, want that of the second attempt: %q", got, on)
		}
		if got := w.log(t, id, ""); got != "begin\n"+on {
			t.Errorf("the log is %q", got)
		}
		if got := w.read(t, "/api/tasks/"+id+"/logs?attempt=1"); !strings.HasPrefix(got, "begin\n") || strings.Contains(got, "\non ") || strings.Count(got, "\n") != 2 {
			t.Errorf("the first attempt's log is not what was known and a marker: %q", got)
		}
	}
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "active") })
	await(t, verdict, func(ctx context.Context) error { return w.idle(ctx, "w1") })
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
