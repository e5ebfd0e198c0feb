//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"cloudai/master/e2e/rig"
)

// orderly is how long a stop on request may take.
const orderly = 10 * time.Second

// SIGTERM ends master and worker in order and soon; containers run on and
// finish as if nothing had been.
func TestTerminate(t *testing.T) {
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
