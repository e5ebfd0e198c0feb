package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// A worker that has announced for how long it is away has that time also from a
// master that starts meanwhile, and at least the usual one.
func TestStartWaitsForWorkersThatLeft(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{-time.Hour: 15 * time.Second, time.Hour: time.Hour} {
		d := newDesk(t)
		d.m.restoreWorker(d.now, cluster.Worker{ID: "w", Session: "s", LeftUntil: d.now.Add(left)})
		if got := d.m.workers["w"].deadline.Sub(d.now); got != want {
			t.Errorf("left until in %s: %s to return", left, got)
		}
	}
}

// Of a worker that the store does not have is known what was placed on it, and
// not more: it is not full beyond what it has.
func TestStartWithTasksOfAnUnknownWorker(t *testing.T) {
	d := newDesk(t)
	for _, id := range []cluster.TaskID{"t1", "t2"} {
		placed, err := cluster.NewTask(id, "ann", spec(), d.now).Assign("w", string(id), d.now)
		if err != nil {
			t.Fatal(err)
		}
		placed.Version = 2
		d.m.restoreTask(d.now, placed)
	}
	w := d.m.workers["w"]
	if !w.worker.Lost || w.gone() || w.allocated().CPU != 2 || w.worker.Total != w.allocated() {
		t.Fatalf("%+v, given away %+v", w.worker, w.allocated())
	}
}
