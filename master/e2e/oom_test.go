//go:build engine

package e2e

import (
	"context"
	"os"
	"strings"
	"testing"

	"cloudai/master/e2e/rig"
)

// An engine that was killed, also with what watched its containers, does not tell
// how later ones were killed. What exceeds its memory is told as that all the same,
// since the kernel's log has it; what somebody else killed is not.
func TestF12OutOfMemoryAfterEngineCrash(t *testing.T) {
	log, err := os.Open("/dev/kmsg")
	if err != nil {
		t.Skip("without the kernel's log there is nothing to see: ", err)
	}
	must(t, log.Close())
	d := newDockerd(t)
	w := newWorld(t, "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=15s")
	w.workerOn(t, d, "w1", "WORKER_CPU=8")
	for _, c := range []struct {
		name string
		end  func(*rig.Dockerd, context.Context) error
	}{
		{"killed", (*rig.Dockerd).Kill},
		{"killed with its shims", (*rig.Dockerd).KillAll},
	} {
		t.Run(c.name, func(t *testing.T) { testMemoryAfterCrash(t, w, d, c.end) })
	}
}

func testMemoryAfterCrash(t *testing.T, w *world, d *rig.Dockerd, end func(*rig.Dockerd, context.Context) error) {
	running := w.submit(t, w.gated("echo begun", ""))
	w.logHas(t, running, "begun\n")
	must(t, end(d, t.Context()))
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, "w1", "unhealthy") })
	must(t, d.Start(t.Context()))

	greedy := w.small("exec tail /dev/zero")
	greedy.MemoryRequired = ptr[int64](32)
	var ids []string
	for range 4 {
		ids = append(ids, w.submit(t, greedy))
	}
	other := w.submit(t, w.small("kill -KILL $$"))
	for _, id := range ids {
		task := w.ended(t, id)
		if task.Failure != "oom" || !strings.Contains(task.Message, "limit is 32 MiB") || !strings.Contains(task.Message, "peak was 32 MiB") {
			t.Errorf("the message does not name limit and peak: %q", task.Message)
		}
		if task.ExitCode == nil || *task.ExitCode != 137 {
			t.Error(describe(task))
		}
	}
	if task := w.failed(t, other, "exit"); task.ExitCode == nil || *task.ExitCode != 137 {
		t.Error(describe(task))
	}
	w.runsAgain(t, running)
	if task := w.ended(t, running); task.Status != "succeeded" {
		t.Error(describe(task))
	}
}
