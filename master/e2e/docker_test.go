//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/master/e2e/rig"
)

// newDockerd is an engine of the test's own.
func newDockerd(t *testing.T) *rig.Dockerd {
	t.Helper()
	d, err := rig.NewDockerd(t.Context(), "")
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			t.Logf("--- dockerd\n%s", d.Tail(8<<10))
		}
		if err := d.Close(ctx); err != nil {
			t.Errorf("clearing up the engine: %v", err)
		}
	})
	return d
}

// workerOn starts a worker on an engine of the test's own, which gets the test
// image.
func (w *world) workerOn(t *testing.T, d *rig.Dockerd, id string, settings ...string) *rig.Worker {
	t.Helper()
	var err error
	w.engine, err = w.EngineOf(d)
	must(t, err)
	w.image, err = d.LoadImage(t.Context(), root+"/.tools/setup")
	must(t, err)
	return w.dockerWorker(t, id, append(settings, "DOCKER_HOST="+d.Host())...)
}

// When Docker is stopped under a worker, or killed, the worker says so and gets
// no task. When it returns, what has ended meanwhile or is gone counts for
// nothing, although it ended with 0: it runs again while the budget lasts.
func TestF08DockerGone(t *testing.T) {
	d := newDockerd(t)
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=15s")
	w.workerOn(t, d, "w1", "WORKER_CPU=8")
	for _, c := range []struct {
		name string
		end  func(*rig.Dockerd, context.Context) error
	}{
		{"stopped", (*rig.Dockerd).Stop},
		{"killed", (*rig.Dockerd).Kill},
	} {
		t.Run(c.name, func(t *testing.T) { testDockerGone(t, w, d, c.end) })
	}
}

func testDockerGone(t *testing.T, w *world, d *rig.Dockerd, end func(*rig.Dockerd, context.Context) error) {
	// Each ends with 0 as soon as it is asked to.
	polite := w.gated("trap 'echo asked; exit 0' TERM; echo begun", "echo done; echo kept >/output/file")
	spent := polite
	spent.MaxReschedules = ptr(0)
	again, over, lost := w.submit(t, polite), w.submit(t, spent), w.submit(t, polite)
	for _, id := range []string{again, over, lost} {
		w.logHas(t, id, "begun\n")
	}
	forgotten := w.containerOf(t, lost)

	must(t, end(d, t.Context()))
	began := time.Now()
	await(t, 5*time.Second, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "unhealthy") })
	t.Logf("unhealthy after %s", time.Since(began).Round(10*time.Millisecond))
	worker, err := w.API().Worker(t.Context(), "w1")
	must(t, err)
	if !strings.Contains(strings.ToLower(worker.Message), "docker") {
		t.Errorf("the worker says %q", worker.Message)
	}
	late := w.submit(t, w.small("echo late"))
	await(t, 5*time.Second, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, late)
		if err == nil && (task.Waiting == nil || len(task.Waiting.Workers) == 0 || !strings.Contains(task.Waiting.Workers[0].Reason, "unhealthy")) {
			err = fmt.Errorf("it waits for %+v", task.Waiting)
		}
		return err
	})
	for _, id := range []string{again, over, lost} {
		if task := w.task(t, id); task.Status != "running" || task.Attempt != 1 {
			t.Errorf("while Docker is away: %s", describe(task))
		}
	}
	must(t, d.Lose(t.Context(), forgotten))

	must(t, d.Start(t.Context()))
	began = time.Now()
	task := w.failed(t, over, "runtime")
	if task.Attempt != 1 || len(task.Attempts) != 1 {
		t.Errorf("without a budget: %s, attempts %+v", describe(task), task.Attempts)
	}
	for _, id := range []string{again, lost} {
		w.runsAgain(t, id)
		t.Logf("again after %s", time.Since(began).Round(10*time.Millisecond))
		task := w.ended(t, id)
		if task.Status != "succeeded" || task.Attempt != 2 || len(task.Attempts) != 2 || task.Attempts[0].Failure != "runtime" {
			t.Errorf("%s, attempts %+v", describe(task), task.Attempts)
		}
		if log := w.log(t, id, ""); log != "begun\ndone\n" {
			t.Errorf("the log of the second attempt is %q", log)
		}
		if got := w.output(t, id, "file"); got != "kept\n" {
			t.Errorf("the output is %q", got)
		}
	}
	w.succeeded(t, late)
	must(t, w.WorkerIs(t.Context(), "w1", "active"))
}

// A restart of Docker that no worker was there to see is found out afterwards.
func TestF08DockerRestartsUnseen(t *testing.T) {
	d := newDockerd(t)
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=15s")
	worker := w.workerOn(t, d, "w1", "WORKER_CPU=8")
	polite := w.gated("trap 'exit 0' TERM; echo begun", "echo done")
	again := w.submit(t, polite)
	polite.MaxReschedules = ptr(0)
	over := w.submit(t, polite)
	for _, id := range []string{again, over} {
		w.logHas(t, id, "begun\n")
	}
	must(t, worker.Kill())
	must(t, d.Restart(t.Context()))
	must(t, w.RestartWorker(t.Context(), worker))
	w.failed(t, over, "runtime")
	w.runsAgain(t, again)
	if task := w.ended(t, again); task.Status != "succeeded" || len(task.Attempts) != 2 || task.Attempts[0].Failure != "runtime" {
		t.Errorf("%s, attempts %+v", describe(task), task.Attempts)
	}
}

// runsAgain waits for the task's second container and lets it go on. The first
// one is removed beside it and may be there for a moment.
func (w *world) runsAgain(t *testing.T, id string) {
	t.Helper()
	var second container.Summary
	await(t, verdict, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, id)
		if err == nil && (task.Attempt != 2 || task.Status != "running") {
			err = errors.New(describe(task))
		}
		if err == nil {
			second, err = w.engine.ContainerOf(ctx, id)
		}
		return err
	})
	w.open(t, second.ID)
}
