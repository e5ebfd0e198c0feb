//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// byHand starts a container with these labels, which runs until it is removed.
func (w *world) byHand(t *testing.T, name string, labels map[string]string) string {
	t.Helper()
	made, err := w.engine.ContainerCreate(t.Context(), &container.Config{
		Image: w.image, Cmd: []string{"sleep", "600"}, Labels: labels,
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := w.engine.ContainerInspect(ctx, made.ID); err == nil {
			must(t, w.engine.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}))
		}
	})
	must(t, w.engine.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	return made.ID
}

// with is the labels with some of them changed.
func with(labels map[string]string, changed ...string) map[string]string {
	labels = maps.Clone(labels)
	for n := 0; n < len(changed); n += 2 {
		labels["cloudai."+changed[n]] = changed[n+1]
	}
	return labels
}

// Containers of this worker that no attempt owns are found by their labels and
// removed with the next heartbeats; those of others run on untouched, and so
// does the live one among them.
func TestF09Orphans(t *testing.T) {
	w, worker := newCluster(t, "4", "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=1m")
	old := w.submit(t, w.small("true"))
	w.succeeded(t, old)
	live := w.submit(t, w.gated("", "echo done"))
	w.becomes(t, live, "running")
	alive, err := w.engine.ContainerInspect(t.Context(), w.containerOf(t, live))
	must(t, err)
	labels := alive.Config.Labels

	others := map[string]string{
		"no label":        w.byHand(t, "", nil),
		"half of them":    w.byHand(t, "", map[string]string{"cloudai.worker_id": "w1", "cloudai.task_id": "nonsense"}),
		"another cluster": w.byHand(t, "", with(labels, "cluster_id", "another", "task_id", "unknown")),
		"another worker":  w.byHand(t, "", with(labels, "worker_id", "w2", "task_id", "unknown")),
	}
	// It looks for them all the time, and would remove one that is made and does
	// not run yet, which nobody could start any more.
	must(t, worker.Signal(syscall.SIGSTOP))
	orphans := map[string]string{
		"unknown task":        w.byHand(t, "", with(labels, "task_id", "unknown")),
		"a finished task":     w.byHand(t, "", with(labels, "task_id", old, "lease", "before")),
		"a later attempt":     w.byHand(t, "", with(labels, "attempt", "2")),
		"the live one's twin": w.byHand(t, "", with(labels, "lease", "before")),
	}
	must(t, worker.Signal(syscall.SIGCONT))
	untouched := func() {
		t.Helper()
		for name, id := range others {
			if c, err := w.engine.ContainerInspect(t.Context(), id); err != nil || !c.State.Running {
				t.Errorf("the container with %s was touched: %v", name, err)
			}
		}
	}
	for name, id := range orphans {
		began := time.Now()
		await(t, verdict, w.absent(id))
		t.Logf("%s: gone after %s more", name, time.Since(began).Round(10*time.Millisecond))
	}
	w.beats(t, "w1", 2)
	untouched()
	// A new process finds the same.
	must(t, worker.Kill())
	late := w.byHand(t, "", with(labels, "task_id", "unknown"))
	must(t, w.RestartWorker(t.Context(), worker))
	await(t, verdict, w.absent(late))
	w.beats(t, "w1", 2)
	untouched()
	now, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	if now.Allocated.CPU != 1 || len(now.RunningTasks) != 1 {
		t.Errorf("%+v is allocated for %v", now.Allocated, now.RunningTasks)
	}
	w.open(t, alive.ID)
	w.succeeded(t, live)
	for _, id := range others {
		must(t, w.engine.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
	}
}

// absent is nil when the engine does not have the container.
func (w *world) absent(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := w.engine.ContainerInspect(ctx, id)
		switch {
		case err == nil:
			return fmt.Errorf("container %.12s is %s", id, c.State.Status)
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return err
		}
		return nil
	}
}

// A container that the engine makes only after its worker has died is found by
// the next one, and names that are taken keep no task from its end.
func TestF09NamesTaken(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	p := w.places(t, "w1")["w1"]
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	late := t.Run("Late", func(t *testing.T) {
		h := p.door.Late("POST", `/containers/create$`)
		id := w.submit(t, p.task)
		reached(t, h)
		must(t, p.worker.Kill())
		h.Release()
		must(t, h.Made(t.Context(), verdict))
		must(t, w.RestartWorker(t.Context(), p.worker))
		w.openSoon(t, id)
		w.whole(t, id, p, 1)
		onlyOnce(t, starts.Of, []string{id})
	})
	if !late {
		return // its task is in the way of the others
	}
	// The name of the first attempt is somebody else's container: that stays, and
	// a further attempt has another name.
	t.Run("Foreign", func(t *testing.T) {
		first := w.runs(t, p)
		r := p.task
		r.Command, r.MaxReschedules = "echo begin; echo oops >&2; echo end", ptr(1)
		id := w.submit(t, r) // waits for the other's end
		foreign := w.byHand(t, fmt.Sprintf("cloudai-%s-%s-1", w.ClusterID(), id), nil)
		w.open(t, w.containerOf(t, first))
		task := w.ended(t, id)
		if task.Status != "succeeded" || task.Attempt != 2 || task.Attempts[0].Failure != "runtime" {
			t.Errorf("%s; %+v", describe(task), task.Attempts)
		}
		if c, err := w.engine.ContainerInspect(t.Context(), foreign); err != nil || !c.State.Running {
			t.Errorf("the foreign container was touched: %v", err)
		}
		w.ended(t, first)
	})
	// A retry begins while the container of the attempt before may still be there.
	t.Run("Retry", func(t *testing.T) {
		r := p.task
		r.Command, r.MaxRetries = "echo begin; exit 3", ptr(1)
		hold := p.door.Before("DELETE", `/containers/[0-9a-f]{64}$`)
		id := w.submit(t, r)
		reached(t, hold)
		task := w.ended(t, id)
		hold.Release()
		if task.Status != "failed" || task.Failure != "exit" || task.Attempt != 2 {
			t.Errorf("%s; %+v", describe(task), task.Attempts)
		}
		await(t, verdict, func(ctx context.Context) error { return w.idle(ctx, "w1") })
	})
}
