//go:build engine

package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// newDoor is another way to the engine for one test; see rig.Door.
func (w *world) newDoor(t *testing.T) *rig.Door {
	t.Helper()
	var err error
	if w.engine == nil {
		w.engine, err = w.Engine()
		must(t, err)
		w.image = testImage(t)
	}
	d, err := w.engine.NewDoor()
	must(t, err)
	w.ways = append(w.ways, d)
	return d
}

// newWire is a network to the master for one test; see rig.Wire.
func (w *world) newWire(t *testing.T) *rig.Wire {
	t.Helper()
	wire, err := rig.NewWire(w.GRPC())
	must(t, err)
	w.ways = append(w.ways, wire)
	return wire
}

// publish puts the test image into a registry, under a name that the engine
// does not have.
func (w *world) publish(t *testing.T, name string) {
	t.Helper()
	must(t, w.engine.ImageTag(t.Context(), w.image, name))
	pushed, err := w.engine.ImagePush(t.Context(), name, image.PushOptions{RegistryAuth: "e30="})
	must(t, err)
	answer, err := io.ReadAll(pushed)
	must(t, err)
	must(t, pushed.Close())
	if strings.Contains(string(answer), `"error"`) {
		t.Fatalf("the push failed: %s", answer)
	}
	_, err = w.engine.ImageRemove(t.Context(), name, image.RemoveOptions{})
	must(t, err)
	w.removeImageLater(t, name)
}

// place is a worker of its own for one step of a task, which is stopped there.
type place struct {
	worker *rig.Worker
	door   *rig.Door
	wire   *rig.Wire
	task   client.TaskRequest
	hold   *rig.Hold // the call at which the task was met; nil: at none
}

// places starts a worker for each name, each with its own ways to the engine
// and the master.
func (w *world) places(t *testing.T, names ...string) map[string]*place {
	t.Helper()
	all := map[string]*place{}
	for _, name := range names {
		p := &place{door: w.newDoor(t), wire: w.newWire(t)}
		p.worker = w.dockerWorker(t, name, "WORKER_CPU=1", "DOCKER_HOST="+p.door.Host(), "MASTER_ADDR="+p.wire.Addr())
		p.task = w.gated("echo begin; echo oops >&2", "seq 2000 >/output/numbers; echo end")
		p.task.TargetWorkerID = name
		p.task.MaxReschedules, p.task.MaxRetries = ptr(0), ptr(0)
		all[name] = p
	}
	return all
}

// reached waits until a call is held.
func reached(t *testing.T, h *rig.Hold) {
	t.Helper()
	must(t, h.Reached(t.Context(), verdict))
}

// A worker that is killed at any step of a task and started again goes on from
// there: the container is started once, the log has every byte once, the result
// is taken once. No budget is used, since there is none; where no container
// existed yet the attempt had not begun, and the next one costs nothing.
func TestF04WorkerKilledAtAnyStep(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	steps := []struct {
		name     string
		attempts int
		// meet hands the task in and returns at the step.
		meet func(*testing.T, *place) (id string)
	}{
		{"looking-for-the-image", 2, before(w, "GET", `/images/.*/json$`)},
		{"pulling", 2, before(w, "POST", `/images/create$`)},
		{"creating", 2, before(w, "POST", `/containers/create$`)},
		{"created-unanswered", 1, after(w, "POST", `/containers/create$`)},
		{"filling", 2, func(t *testing.T, p *place) string {
			p.task.Inputs = []client.Input{{Path: "/word", Content: "begin\n"}}
			p.task.Command = strings.Replace(p.task.Command, "echo begin", "cat /word", 1)
			return before(w, "PUT", `/containers/[^/]+/archive$`)(t, p)
		}},
		{"starting", 1, before(w, "POST", `/containers/[^/]+/start$`)},
		{"started-unanswered", 1, after(w, "POST", `/containers/[^/]+/start$`)},
		{"running", 1, func(t *testing.T, p *place) string {
			id := w.submit(t, p.task)
			w.logHas(t, id, "begin\n")
			return id
		}},
		{"looking-at-the-end", 1, atEnd(w, func(p *place) *rig.Hold { return p.door.Before("GET", `/containers/[0-9a-f]{64}/json$`) })},
		{"collecting", 1, atEnd(w, func(p *place) *rig.Hold { return p.door.Before("HEAD", `/_ping$`) })},
		{"uploading", 1, w.stalled},
		{"reported-unanswered", 1, func(t *testing.T, p *place) string {
			// No file, whose upload would have to be answered.
			p.task.Command = strings.Replace(p.task.Command, "seq 2000 >/output/numbers", "rm /output/gate", 1)
			id := w.runs(t, p)
			p.wire.Stop(rig.ToWorker, 0)
			w.open(t, w.containerOf(t, id))
			w.ended(t, id)
			if _, err := w.engine.ContainerOf(t.Context(), id); err != nil {
				t.Errorf("it was removed without an answer: %v", err)
			}
			return id
		}},
		{"removing", 1, atEnd(w, func(p *place) *rig.Hold { return p.door.Before("DELETE", `/containers/[0-9a-f]{64}$`) })},
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
	}
	places := w.places(t, names...)
	name := registry(t) + "/e2e/f04:1"
	w.publish(t, name)
	places["pulling"].task.DockerImage = name
	starts := w.engine.Starts(t.Context())
	t.Cleanup(starts.Stop)
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := places[s.name]
			id := s.meet(t, p)
			must(t, p.worker.Kill())
			p.wire.Go(rig.ToMaster)
			p.wire.Go(rig.ToWorker)
			must(t, w.RestartWorker(t.Context(), p.worker))
			w.openSoon(t, id)
			w.whole(t, id, p, s.attempts)
			onlyOnce(t, starts.Of, []string{id})
		})
	}
}

// before meets a task at a call that the engine has not heard of.
func before(w *world, method, path string) func(*testing.T, *place) string {
	return func(t *testing.T, p *place) string {
		p.hold = p.door.Before(method, path)
		id := w.submit(t, p.task)
		reached(t, p.hold)
		return id
	}
}

// after meets a task at a call that the engine has carried out.
func after(w *world, method, path string) func(*testing.T, *place) string {
	return func(t *testing.T, p *place) string {
		p.hold = p.door.After(method, path)
		id := w.submit(t, p.task)
		reached(t, p.hold)
		return id
	}
}

// atEnd meets a task at a call that comes after its container has ended.
func atEnd(w *world, hold func(*place) *rig.Hold) func(*testing.T, *place) string {
	return func(t *testing.T, p *place) string {
		id := w.runs(t, p)
		container := w.containerOf(t, id)
		h := hold(p)
		w.open(t, container)
		reached(t, h)
		await(t, verdict, w.exited(container))
		return id
	}
}

// stalled meets a task in the middle of its upload, where the wire is stopped.
func (w *world) stalled(t *testing.T, p *place) (id string) {
	t.Helper()
	p.task.Command = strings.Replace(p.task.Command, "seq 2000", "head -c 3000000 /dev/zero >/output/zeros; seq 2000", 1)
	id = w.runs(t, p)
	p.wire.Stop(rig.ToMaster, 1<<20)
	w.open(t, w.containerOf(t, id))
	await(t, verdict, func(context.Context) error {
		if !p.wire.Spent(rig.ToMaster) {
			return fmt.Errorf("the upload has not got so far")
		}
		return nil
	})
	return id
}

// runs hands the task in and waits until its container runs and has spoken.
func (w *world) runs(t *testing.T, p *place) (id string) {
	t.Helper()
	id = w.submit(t, p.task)
	w.becomes(t, id, "running")
	w.logHas(t, id, "begin\n")
	return id
}

// openSoon opens the task's gate once it has a container, or finds it over.
func (w *world) openSoon(t *testing.T, id string) {
	t.Helper()
	await(t, verdict, func(ctx context.Context) error {
		task, err := w.API().Task(ctx, id)
		if err != nil || task.Terminal() {
			return err
		}
		c, err := w.engine.ContainerOf(ctx, id)
		if err != nil {
			return err
		}
		switch c.State {
		case "running":
			w.open(t, c.ID)
			return nil
		case "exited": // it was let go before; its worker may remove it any moment
			return nil
		}
		return fmt.Errorf("the container is %s", c.State) // not started, or an earlier attempt's on its way out
	})
}

// whole checks a task of a place after its end: success, everything once.
func (w *world) whole(t *testing.T, id string, p *place, attempts int) {
	t.Helper()
	task := w.ended(t, id)
	if task.Status != "succeeded" || task.Attempt != attempts || len(task.Attempts) != attempts {
		t.Fatalf("%s; attempts %+v", describe(task), task.Attempts)
	}
	stored := 0
	for _, e := range w.events(t, id) {
		if e.State == "stored" {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("it was stored %d times", stored)
	}
	for stream, want := range map[string]string{"stdout": "begin\nend\n", "stderr": "oops\n"} {
		if got := w.log(t, id, stream); got != want {
			t.Errorf("%s is %q", stream, got)
		}
	}
	if strings.Contains(p.task.Command, "/output/numbers") {
		if got := w.output(t, id, "numbers"); len(got) != 8893 || !strings.HasSuffix(got, "\n2000\n") {
			t.Errorf("the output has %d bytes", len(got))
		}
	}
	await(t, verdict, func(ctx context.Context) error { return w.idle(ctx, p.worker.ID) })
}

// idle is nil when the worker has nothing reserved and the engine no container
// of it.
func (w *world) idle(ctx context.Context, worker string) error {
	now, err := w.API().Worker(ctx, worker)
	if err == nil && (now.Allocated != client.Resources{} || len(now.RunningTasks) > 0) {
		err = fmt.Errorf("worker %s still has %+v for %v", worker, now.Allocated, now.RunningTasks)
	}
	if err != nil {
		return err
	}
	all, err := w.engine.Containers(ctx)
	for _, c := range all {
		if c.Labels["cloudai.worker_id"] == worker {
			err = fmt.Errorf("container %.12s of worker %s is left: %s", c.ID, worker, c.Status)
		}
	}
	return err
}

// beats waits until the worker has sent so many heartbeats more.
func (w *world) beats(t *testing.T, worker string, n int) {
	t.Helper()
	var last time.Time
	for range n + 1 {
		await(t, verdict, func(ctx context.Context) error {
			now, err := w.API().Worker(ctx, worker)
			if err == nil && (now.LastHeartbeat == nil || !now.LastHeartbeat.After(last)) {
				err = fmt.Errorf("no heartbeat of %s after %s", worker, last)
			}
			if err == nil {
				last = *now.LastHeartbeat
			}
			return err
		})
	}
}
