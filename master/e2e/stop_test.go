//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/e2e/rig"
)

// orderly is how long a stop on request may take.
const orderly = 10 * time.Second

// SIGTERM ends master and worker in order and soon; containers run on and
// finish as if nothing had been.
func TestF28Terminate(t *testing.T) {
	// A worker that says goodbye has RESTART_GRACE to return, however short the
	// deadline of those that do not.
	w, worker := newCluster(t, "4", "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=2s")
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	id := w.submit(t, w.gated("echo one", "echo two"))
	w.becomes(t, id, "running")
	container := w.containerOf(t, id)
	runsOn := func(after string) {
		t.Helper()
		c, err := w.engine.ContainerInspect(t.Context(), container)
		must(t, err)
		if !c.State.Running {
			t.Fatalf("after %s the container is %s", after, c.State.Status)
		}
	}

	must(t, worker.Term(orderly))
	if code := worker.ExitCode(); code != 0 {
		t.Errorf("the worker ended with %d:\n%s", code, worker.Tail(4<<10))
	}
	runsOn("the worker's stop")
	gone := time.Now()
	await(t, 10*time.Second, func(context.Context) error { // longer than the deadline of the silent
		if away := time.Since(gone); away < 3*time.Second {
			return fmt.Errorf("away for only %s", away)
		}
		return nil
	})
	if task := w.task(t, id); task.Status != "running" || task.Attempt != 1 {
		t.Errorf("with the worker on leave: %s", describe(task))
	}

	must(t, w.Master.Term(orderly))
	if code := w.Master.ExitCode(); code != 0 {
		t.Errorf("the master ended with %d:\n%s", code, w.Master.Tail(4<<10))
	}
	runsOn("the master's stop")

	must(t, w.StartMaster(t.Context()))
	must(t, w.RestartWorker(t.Context(), worker))
	w.open(t, container)
	w.succeeded(t, id)
	if log := w.log(t, id, ""); log != "one\ntwo\n" {
		t.Errorf("the log is %q", log)
	}
	onlyOnce(t, starts.Of, []string{id})
}

// Master and workers that are told to end at once, in the middle of everything,
// end in order and within their time; started again they go on where they were.
func TestF28EverybodyEndsAtOnce(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s") // one of them cannot say that it goes
	places := w.places(t, "running", "pulling", "uploading")
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	running := w.runs(t, places["running"])
	pulling := before(w, "GET", `/images/.*/json$`)(t, places["pulling"])
	uploading := w.stalled(t, places["uploading"])
	ids := []string{running, pulling, uploading}
	queued := places["running"].task
	queued.Command = "echo queued"
	for range 3 {
		ids = append(ids, w.submit(t, queued))
	}
	container := w.containerOf(t, running)

	var ends sync.WaitGroup
	for _, p := range append([]*rig.Process{w.Master}, places["running"].worker.Process, places["pulling"].worker.Process, places["uploading"].worker.Process) {
		ends.Go(func() {
			if err := p.Term(orderly); err != nil {
				t.Error(err)
			} else if p.ExitCode() != 0 {
				t.Errorf("it ended with %d: %s", p.ExitCode(), p.Tail(2<<10))
			}
		})
	}
	ends.Wait()
	if c, err := w.engine.ContainerInspect(t.Context(), container); err != nil || !c.State.Running {
		t.Errorf("the container does not run on: %v", err)
	}

	must(t, w.StartMaster(t.Context()))
	for _, p := range places {
		p.wire.Go(rig.ToMaster)
		must(t, w.RestartWorker(t.Context(), p.worker))
	}
	w.open(t, container)
	w.openSoon(t, pulling)
	w.whole(t, running, places["running"], 1)
	w.whole(t, pulling, places["pulling"], 2) // the first had not begun
	w.whole(t, uploading, places["uploading"], 1)
	for _, id := range ids[3:] {
		w.succeeded(t, id)
	}
	onlyOnce(t, starts.Of, ids)
}

// A worker that is to take its tasks with it stops them, hands in what there is,
// and they run elsewhere.
func TestF28StopTasks(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=5s")
	worker := w.dockerWorker(t, "w1", "WORKER_CPU=1")
	must(t, worker.Term(orderly))
	var err error
	worker.Process, err = w.LaunchWorker(worker, "--stop-tasks")
	must(t, err)
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "active") })
	r := w.gated("echo begin", "echo end; echo kept >/output/file")
	r.MaxReschedules = ptr(1)
	id := w.submit(t, r)
	w.becomes(t, id, "running")
	w.logHas(t, id, "begin\n")
	first := w.containerOf(t, id)
	must(t, worker.Term(orderly))
	must(t, w.absent(first)(t.Context()))
	w.dockerWorker(t, "w2", "WORKER_CPU=1")
	w.becomes(t, id, "running")
	w.open(t, w.secondRun(t, id, first))
	task := w.ended(t, id)
	if task.Status != "succeeded" || task.Attempt != 2 || task.WorkerID != "w2" || task.Attempts[0].Failure != "runtime" || !strings.Contains(task.Attempts[0].Message, "shut down") {
		t.Errorf("%s; %+v", describe(task), task.Attempts)
	}
	if got := w.read(t, "/api/tasks/"+id+"/logs?attempt=1"); got != "begin\n" {
		t.Errorf("the first attempt's log is %q", got)
	}
	if got := w.output(t, id, "file"); got != "kept\n" {
		t.Errorf("the output is %q", got)
	}
}

// Two masters never share a folder, and two workers neither.
func TestFolderInUse(t *testing.T) {
	w := newWorld(t)
	worker := w.fakeWorker(t, "w1")
	double, err := w.LaunchWorker(worker)
	must(t, err)
	t.Cleanup(func() { must(t, double.Kill()) })
	must(t, double.Await(orderly))
	if said := double.Tail(2 << 10); double.ExitCode() <= 0 || !strings.Contains(said, worker.Dir) {
		t.Errorf("the second worker ended with %d and said:\n%s", double.ExitCode(), said)
	}
	second, err := w.LaunchMaster()
	must(t, err)
	t.Cleanup(func() { must(t, second.Kill()) })
	must(t, second.Await(orderly))
	said := second.Tail(2 << 10)
	if second.ExitCode() <= 0 || !strings.Contains(said, w.MasterDir()) {
		t.Errorf("the second master ended with %d and said:\n%s", second.ExitCode(), said)
	}
	id := w.submit(t, w.small(""))
	w.succeeded(t, id)
	if !w.Master.Running() {
		t.Error("the first master has gone")
	}
}

// A port that is taken stops the start, which says so.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	r, err := rig.New(binaries(), "")
	must(t, err)
	t.Cleanup(func() { must(t, r.Close(context.Background())) })
	p, err := r.LaunchMaster("--grpc-addr", taken.Addr().String())
	must(t, err)
	must(t, p.Await(orderly))
	if said := p.Tail(2 << 10); p.ExitCode() != 1 || !strings.Contains(said, taken.Addr().String()+" is in use") {
		t.Errorf("it ended with %d and said:\n%s", p.ExitCode(), said)
	}
}

// A bad setting stops the start and is named.
func TestBadSetting(t *testing.T) {
	for setting, bad := range map[string]string{
		"HEARTBEAT_TIMEOUT": "HEARTBEAT_TIMEOUT=6s", // less than twice the interval
		"LOG_LIMIT":         "LOG_LIMIT=much",
		"SCHEDULER":         "SCHEDULER=by-horoscope",
	} {
		t.Run(setting, func(t *testing.T) {
			r, err := rig.New(binaries(), "", bad)
			must(t, err)
			t.Cleanup(func() { must(t, r.Close(context.Background())) })
			p, err := r.LaunchMaster()
			must(t, err)
			must(t, p.Await(orderly))
			if said := p.Tail(2 << 10); p.ExitCode() <= 0 || !strings.Contains(said, "master: ") || !strings.Contains(said, setting) {
				t.Errorf("it ended with %d and said:\n%s", p.ExitCode(), said)
			}
		})
	}
}
