package cli

import (
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func TestFleet(t *testing.T) {
	w := newWorld(t)
	w.workers()
	golden(t, "fleet", w.transcript(t,
		"register w3 10.0.0.7:50052", "register w3 nonsense", "register w3 nowhere:1",
		"drain w1", "undrain w1", "drain w3 -o json", "drain w", "drain nope", "undrain ''",
		"unregister w1", "unregister w1 --force", "unregister w3", "unregister w2 -o yaml", "workers",
	))
}

func TestRetry(t *testing.T) {
	w := populate(t)
	got := w.cli(t, "retry", "task0001")
	if got.code != 0 || got.stdout != "task0005\n" || !strings.Contains(got.stderr, "logs -f task0005") {
		t.Errorf("%+v", got)
	}
	if got := w.cli(t, "retry", "task0001", "--quiet"); got != (spoken{stdout: "task0006\n"}) {
		t.Errorf("%+v", got)
	}
	if got := w.cli(t, "retry", "task0002"); got.code != exitFailed || !strings.Contains(got.stderr, "running") {
		t.Errorf("%+v", got)
	}
	if got := w.cli(t, "retry", "task0001", "--follow", "-o", "json"); got.code != exitUsage {
		t.Errorf("%+v", got)
	}
	done := w.start(t.Context(), "retry", "task0001", "--follow")
	w.submitted(t, 7)
	must(t, w.core.Run("task0007", "w1"))
	w.log(t, "task0007", 1, "o:again\n")
	must(t, w.core.Finish("task0007", ptr(3), cluster.FailureExit, ""))
	if got := <-done; got.code != 3 || got.stdout != "again\n" || !strings.Contains(got.stderr, "task task0007 failed") {
		t.Errorf("%+v", got)
	}
}

// broken is a report with more violations than it names.
func broken() coordinator.InvariantReport {
	return coordinator.InvariantReport{
		CheckedAt: time.Now(), Violations: 3, Pending: 1,
		Kinds: []coordinator.InvariantCount{
			{Invariant: coordinator.RunsWithoutAttempt, Violations: 1, Oldest: 20 * time.Second},
			{Invariant: coordinator.StoreDiffers, Violations: 2, Pending: 1, Oldest: 2 * time.Minute},
		},
		Mismatches: []coordinator.Mismatch{
			{Invariant: coordinator.StoreDiffers, TaskID: "task0001", Violation: true, Age: 2 * time.Minute},
			{Invariant: coordinator.RunsWithoutAttempt, TaskID: "task0002", Attempt: 2, WorkerID: "w1", Violation: true, Age: 20 * time.Second},
			{Invariant: coordinator.StoreDiffers, TaskID: "task0003", Age: time.Second},
		},
	}
}

func TestDoctor(t *testing.T) {
	w := newWorld(t)
	golden(t, "doctor-alone", w.shown(w.cli(t, "doctor")))
	w.workers()
	sick, away, resting := coordinator.WorkerView{}, coordinator.WorkerView{}, coordinator.WorkerView{}
	sick.ID, sick.Status, sick.Message, sick.Version = "w3", cluster.WorkerUnhealthy, "the engine does not answer", "1.2.2"
	away.ID, away.Status, away.Message, away.Address = "w4", cluster.WorkerUnreachable, "connection refused", "10.0.0.9:1"
	resting.ID, resting.Status = "w5", cluster.WorkerDraining
	views, err := w.core.Workers(t.Context(), local)
	must(t, err)
	w.core.SetWorkers(append(views, sick, away, resting)...)
	for range 12 {
		w.submit(t, cluster.TaskRequest{})
	}
	waits := w.submit(t, cluster.TaskRequest{})
	must(t, w.core.Edit(waits, func(v *coordinator.TaskView, _ time.Time) error {
		v.Waiting = &coordinator.Waiting{Reason: "unschedulable: cpu: asked 4096, largest w1 has 4\x1b[2J", Suggestion: "ask for less"}
		return nil
	}))
	upload, storage := w.submit(t, cluster.TaskRequest{}), w.submit(t, cluster.TaskRequest{})
	w.ends(t, upload, ptr(0), cluster.FailureUpload, "no space left on device")
	w.ends(t, storage, nil, cluster.FailureStorage, "")
	golden(t, "doctor", w.shown(w.cli(t, "doctor")))
	golden(t, "doctor.json", w.shown(w.cli(t, "doctor", "-o", "json")))

	healthy := newWorld(t)
	healthy.workers()
	views, err = healthy.core.Workers(t.Context(), local)
	must(t, err)
	healthy.core.SetWorkers(views[0])
	golden(t, "doctor-ok", healthy.shown(healthy.cli(t, "doctor")))
	healthy.core.SetInvariants(broken())
	golden(t, "doctor-broken", healthy.shown(healthy.cli(t, "doctor")))
	healthy.core.SetInvariants(coordinator.InvariantReport{CheckedAt: time.Now(), Pending: 2})
	if got := healthy.cli(t, "doctor"); got.code != 0 || !strings.Contains(got.stdout, "hold; 2 under way") {
		t.Errorf("%+v", got)
	}
	healthy.core.SetInvariants(coordinator.InvariantReport{})
	if got := healthy.cli(t, "doctor"); got.code != 0 || !strings.Contains(got.stdout, "have not been compared yet") {
		t.Errorf("%+v", got)
	}
	healthy.core.SetInvariants(coordinator.InvariantReport{CheckedAt: time.Now()})
	healthy.core.SetNotReady(cluster.ErrUnavailable)
	if got := healthy.cli(t, "doctor"); got.code != exitFailed || !strings.Contains(got.stdout, "bad  ready") {
		t.Errorf("%+v", got)
	}
	healthy.stop()
	golden(t, "doctor-nobody", healthy.shown(healthy.cli(t, "doctor")))
	healthy.serve(t)
}
