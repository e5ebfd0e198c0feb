//go:build engine

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// A cancel at any step of a task ends it in bounded time; its place is free and
// its container gone.
func TestF16CancelAtAnyStep(t *testing.T) {
	const timeout = 3 * time.Second
	const bound = time.Second + timeout + 2*time.Second // grace, timeout, a busy machine
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT="+timeout.String())
	release := func(p *place) { p.hold.Release() } // the engine was slow
	steps := []struct {
		name  string
		meet  func(*testing.T, *place) string
		then  func(*place) // after the cancel was taken
		files bool         // what the container left is kept
	}{
		{"looking-for-the-image", before(w, "GET", `/images/.*/json$`), nil, false},
		{"pulling", before(w, "POST", `/images/create$`), nil, false},
		{"creating", before(w, "POST", `/containers/create$`), release, false},
		{"created-unanswered", after(w, "POST", `/containers/create$`), release, false},
		{"starting", before(w, "POST", `/containers/[^/]+/start$`), release, false},
		{"started-unanswered", after(w, "POST", `/containers/[^/]+/start$`), nil, false},
		{"running", w.runs, nil, false},
		{"uploading", w.stalled, func(p *place) { p.wire.Go(rig.ToMaster) }, true},
		{"uploading-without-end", w.stalled, nil, false},
	}
	names := []string{"queueing"}
	for _, s := range steps {
		names = append(names, s.name)
	}
	places := w.places(t, names...)
	places["pulling"].task.DockerImage = "localhost:1/no/such:image"
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := places[s.name]
			id := s.meet(t, p)
			asked := time.Now()
			_, err := w.API().Cancel(t.Context(), id)
			must(t, err)
			if s.then != nil {
				s.then(p)
			}
			task := w.ended(t, id)
			if took := time.Since(asked); task.Status != "cancelled" || took > bound {
				t.Errorf("after %s: %s", took, describe(task))
			}
			if _, err := w.API().Cancel(t.Context(), id); !client.IsConflict(err) {
				t.Errorf("the cancel of a finished task answers %v", err)
			}
			p.wire.Go(rig.ToMaster)
			if p.hold != nil { // an engine that does not answer at all has an end, too
				p.hold.Release()
			}
			await(t, verdict, func(ctx context.Context) error { return w.idle(ctx, p.worker.ID) })
			if s.files {
				if got := w.output(t, id, "zeros"); len(got) != 3000000 {
					t.Errorf("%d bytes are kept", len(got))
				}
			}
			// The whole place is free again, once.
			next := w.small("true")
			next.CPURequired, next.TargetWorkerID = ptr(1.0), p.worker.ID
			w.succeeded(t, w.submit(t, next))
		})
	}
	t.Run("queued", func(t *testing.T) {
		t.Parallel()
		p := places["queueing"]
		first := w.runs(t, p)
		second := w.submit(t, p.task)
		task, err := w.API().Cancel(t.Context(), second)
		must(t, err)
		if task.Status != "cancelled" || len(task.Attempts) != 0 {
			t.Error(describe(task), task.Attempts)
		}
		if task := w.task(t, first); task.Status != "running" {
			t.Errorf("the one before it: %s", describe(task))
		}
		w.open(t, w.containerOf(t, first))
		w.whole(t, first, p, 1)
	})
}

// Whoever cancels while the container ends hears the truth: accepted, and the
// task ends as cancelled; or too late, and it ends as it did.
func TestF15CancelRacesExit(t *testing.T) {
	const rounds, at = 400, 8
	w := newWorld(t)
	w.fakeWorker(t, "w1", "WORKER_CPU=8", "WORKER_MEMORY=100000", "WORKER_STORAGE=100000")
	var mu sync.Mutex
	outcomes := map[string]int{}
	var group sync.WaitGroup
	for range at {
		group.Go(func() {
			for range rounds / at {
				outcome, err := w.race(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%v", outcomes)
	if outcomes["succeeded"] == 0 || outcomes["cancelled"] == 0 {
		t.Errorf("the race had one winner only: %v", outcomes)
	}
	await(t, verdict, func(ctx context.Context) error {
		now, err := w.API().Worker(ctx, "w1")
		if err == nil && now.Allocated != (client.Resources{}) {
			err = fmt.Errorf("still allocated: %+v", now.Allocated)
		}
		return err
	})
}

// race runs one short task, cancels it about when it ends and gives its status.
func (w *world) race(ctx context.Context) (string, error) {
	r := w.small("")
	r.Env = map[string]string{"FAKE_SLEEP": "20ms", "FAKE_LOG_LINES": "1"}
	r.MaxRetries = ptr(3) // a cancelled task uses none
	task, err := w.API().Submit(ctx, r)
	if err != nil {
		return "", err
	}
	id := task.TaskID
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(100 * time.Millisecond)))):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	accepted, late := 0, 0
	for range 3 {
		switch _, err := w.API().Cancel(ctx, id); {
		case err == nil && late == 0:
			accepted++
		case client.IsConflict(err):
			late++
		default:
			return "", fmt.Errorf("task %s: after %d accepted cancels and %d late ones: %w", id, accepted, late, err)
		}
	}
	if task, err = w.API().WaitTask(ctx, id); err != nil {
		return "", err
	}
	want := "succeeded"
	if accepted > 0 {
		want = "cancelled"
	}
	if task.Status != want || len(task.Attempts) > 1 {
		return "", fmt.Errorf("after %d accepted cancels and %d late ones: %s, attempts %+v", accepted, late, describe(task), task.Attempts)
	}
	ends := 0
	for e, err := range w.API().Events(ctx, id) {
		if err != nil {
			return "", err
		}
		if e.State == "stored" {
			ends++
		}
	}
	if ends != 1 {
		return "", fmt.Errorf("task %s has %d terminal events", id, ends)
	}
	return task.Status, nil
}

// The timeout is kept also where the program ignores TERM, and where the worker
// was away when it passed; the log and the files so far are kept.
func TestF17TimeoutAgainstTheOdds(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	const timeout = 2 * time.Second
	away := w.dockerWorker(t, "away", "WORKER_CPU=1")
	w.dockerWorker(t, "here", "WORKER_CPU=1")
	begin := func(worker, command string) string {
		r := w.small(command)
		r.Timeout, r.TargetWorkerID = timeout.String(), worker
		return w.submit(t, r)
	}
	unattended := begin("away", "echo begun; echo half >/output/part; sleep 600")
	stubborn := begin("here", `trap 'echo no; echo more >>/output/part' TERM; echo begun; echo half >/output/part; while :; do sleep 0.1; done`)
	w.logHas(t, unattended, "begun\n")
	must(t, away.Kill())
	task := w.failed(t, stubborn, "timeout")
	if ran := task.FinishedAt.Sub(*task.StartedAt); ran < timeout+time.Second || ran > timeout+5*time.Second {
		t.Errorf("with a grace of 1s it ran for %s", ran)
	}
	must(t, w.RestartWorker(t.Context(), away))
	w.failed(t, unattended, "timeout")
	for id, want := range map[string][2]string{unattended: {"begun\n", "half\n"}, stubborn: {"begun\nno\n", "half\nmore\n"}} {
		if log := w.log(t, id, ""); log != want[0] {
			t.Errorf("the log is %q, want %q", log, want[0])
		}
		if got := w.output(t, id, "part"); got != want[1] {
			t.Errorf("the output is %q, want %q", got, want[1])
		}
	}
}
