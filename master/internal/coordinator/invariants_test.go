package coordinator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// activeStore is what a whole comparison reads.
type activeStore interface {
	Task(context.Context, cluster.TaskID) (cluster.Task, error)
	ActiveTasks(context.Context, func(cluster.Task) error) error
}

// compareAll makes every comparison that the patrol makes, at once.
func (m *machine) compareAll(now time.Time, store activeStore) (InvariantReport, newsOfCheck, error) {
	ctx := context.Background()
	var stored []cluster.Task
	err := store.ActiveTasks(ctx, func(t cluster.Task) error { stored = append(stored, t); return nil })
	m.mismatches.sweep++
	m.checkStored(now, stored, m.mismatches.sweep)
	m.checkTasks(now, m.active(), m.mismatches.sweep)
	m.checkQueue(now, m.queue.IDs())
	for from, more := 0, true; more; from += 2 {
		more = m.checkWorkers(now, from, 2)
	}
	var mended []Mismatch
	for _, s := range m.unsure(openMost) {
		t, missing := store.Task(ctx, s.ref.TaskID)
		if missing != nil && !errors.Is(missing, cluster.ErrNotFound) {
			err = errors.Join(err, missing)
			continue
		}
		mended = append(mended, m.compareStored(now, s, m.glance(s.ref.TaskID), t, missing == nil).mended...)
	}
	report, news := m.review(now)
	news.mended = append(news.mended, mended...)
	return report, news, err
}

// deskStore is what a desk's machine believes to be on the disk, but for what
// a test has changed.
type deskStore map[cluster.TaskID]cluster.Task

func (s deskStore) Task(_ context.Context, id cluster.TaskID) (cluster.Task, error) {
	if t, ok := s[id]; ok {
		return t, nil
	}
	return cluster.Task{}, cluster.ErrNotFound
}

func (s deskStore) ActiveTasks(_ context.Context, yield func(cluster.Task) error) error {
	for _, id := range slices.Sorted(maps.Keys(s)) {
		if t := s[id]; !t.Terminal() {
			if err := yield(t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *desk) disk() deskStore {
	s := deskStore{}
	for id, e := range d.m.tasks {
		s[id] = e.task
	}
	return s
}

// compared is compareAll at the desk's time.
func (d *desk) compared(s deskStore) (InvariantReport, newsOfCheck) {
	d.t.Helper()
	report, news, err := d.m.compareAll(d.now, s)
	if err != nil {
		d.t.Fatal(err)
	}
	return report, news
}

// busy is a desk with a task that runs, one that is placed and one that waits,
// all of which the worker's heartbeats show as they are.
func busy(t *testing.T) (d *desk, runs, placed, waits *task) {
	d = newDesk(t)
	d.join("w1", "s1")
	runs, a := d.place("runs", spec())
	d.answer(a, nil)
	d.report(runs, cluster.StateRunning)
	placed, a = d.place("placed", spec())
	d.answer(a, nil)
	big := spec()
	big.Resources.CPU = 64
	return d, runs, placed, d.submit("waits", big)
}

// healthyBeat is a heartbeat that shows all that is placed on w1, and more.
func (d *desk) healthyBeat(more ...cluster.AttemptRef) {
	d.t.Helper()
	var shown []cluster.RunningAttempt
	for id := range d.m.workers["w1"].attempts {
		if e := d.m.tasks[id]; e != nil && e.task.State.Placed() && e.task.WorkerID == "w1" {
			shown = append(shown, running(e.task.Ref(), e.task.State))
		}
	}
	for _, ref := range more {
		shown = append(shown, running(ref, cluster.StateRunning))
	}
	d.beat("w1", func(h *Heartbeat) { h.Running = shown })
}

// TestInvariantsBroken corrupts a machine by hand in every way, and expects to
// hear of it once it has been so for longer than the timeout, not before, and
// once more when it is mended.
func TestInvariantsBroken(t *testing.T) {
	ghost := cluster.AttemptRef{TaskID: "ghost", Attempt: 1, Lease: "x"}
	for _, c := range []struct {
		kind  Invariant
		task  cluster.TaskID
		spoil func(d *desk, s deskStore) (mend func(), also []cluster.AttemptRef)
		beat  func(d *desk) // nil: a healthy one
		grace time.Duration // that a container may take to end
	}{
		{kind: PlacedWithoutPlace, task: "runs", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			w := d.m.workers["w1"]
			place := w.attempts["runs"]
			delete(w.attempts, "runs")
			return func() { w.attempts["runs"] = place }, []cluster.AttemptRef{d.m.tasks["runs"].task.Ref()}
		}},
		{kind: PlacedWithoutPlace, task: "placed", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			w := d.m.workers["w1"]
			place := w.attempts["placed"]
			w.attempts["placed"] = cluster.Resources{CPU: 3}
			return func() { w.attempts["placed"] = place }, nil
		}},
		{kind: PlaceWithoutAttempt, task: "nobody", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			d.m.workers["w1"].attempts["nobody"] = cluster.Resources{CPU: 1}
			return func() { delete(d.m.workers["w1"].attempts, "nobody") }, nil
		}},
		{kind: PlaceWithoutAttempt, task: "waits", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			d.m.workers["w1"].attempts["waits"] = cluster.Resources{CPU: 1}
			return func() { delete(d.m.workers["w1"].attempts, "waits") }, nil
		}},
		{kind: NotRunning, task: "runs", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			return func() { d.healthyBeat() }, nil
		}, beat: func(d *desk) {
			placed := d.m.tasks["placed"].task
			d.beat("w1", func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(placed.Ref(), placed.State)} })
		}},
		{kind: RunsWithoutAttempt, task: "ghost", grace: cluster.DefaultGracePeriod, spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			return func() { d.healthyBeat() }, []cluster.AttemptRef{ghost}
		}},
		{kind: WaitsOutsideQueue, task: "waits", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			d.m.queue.Remove("waits")
			return func() { d.m.enqueue(d.m.tasks["waits"]) }, nil
		}},
		{kind: QueuedNotWaiting, task: "runs", spoil: func(d *desk, _ deskStore) (func(), []cluster.AttemptRef) {
			d.m.enqueue(d.m.tasks["runs"])
			return func() { d.m.queue.Remove("runs") }, nil
		}},
		{kind: StoreDiffers, task: "runs", spoil: func(d *desk, s deskStore) (func(), []cluster.AttemptRef) {
			was := s["runs"]
			older := was
			older.State, older.Version = cluster.StateAssigned, was.Version-1
			s["runs"] = older
			return func() { s["runs"] = was }, nil
		}},
		{kind: StoreDiffers, task: "waits", spoil: func(d *desk, s deskStore) (func(), []cluster.AttemptRef) {
			was := s["waits"]
			delete(s, "waits")
			return func() { s["waits"] = was }, nil
		}},
		{kind: StoreDiffers, task: "forgotten", spoil: func(d *desk, s deskStore) (func(), []cluster.AttemptRef) {
			s["forgotten"] = cluster.NewTask("forgotten", "ann", spec(), d.now)
			return func() { delete(s, "forgotten") }, nil
		}},
	} {
		t.Run(string(c.kind)+"/"+string(c.task), func(t *testing.T) {
			d, _, _, _ := busy(t)
			s := d.disk()
			mend, shown := c.spoil(d, s)
			beat := c.beat
			if beat == nil {
				beat = func(d *desk) { d.healthyBeat(shown...) }
			}
			limit := d.m.HeartbeatTimeout + c.grace
			began := d.now
			for d.now.Sub(began) <= limit {
				beat(d)
				report, news := d.compared(s)
				if report.Violations != 0 || len(news.broken) != 0 {
					t.Fatalf("after %s of %s: %+v", d.now.Sub(began), limit, report)
				}
				if report.Pending != 1 || report.Mismatches[0].Invariant != c.kind || report.Mismatches[0].TaskID != c.task {
					t.Fatalf("seen so far: %+v", report)
				}
				d.now = d.now.Add(2500 * time.Millisecond)
			}
			beat(d)
			report, news := d.compared(s)
			if report.Violations != 1 || report.Pending != 0 || len(news.broken) != 1 || len(report.Kinds) != 1 || report.Kinds[0].Invariant != c.kind {
				t.Fatalf("after %s: %+v, said %v", d.now.Sub(began), report, news.broken)
			}
			if x := report.Mismatches[0]; x.TaskID != c.task || !x.Violation || x.Age <= limit {
				t.Errorf("%+v", x)
			}
			d.now = d.now.Add(time.Second)
			if report, news = d.compared(s); report.Violations != 1 || len(news.broken) != 0 {
				t.Errorf("said twice: %+v, %v", report, news.broken)
			}
			mend()
			if report, news = d.compared(s); report.Violations != 0 || report.Pending != 0 || len(news.mended) != 1 {
				t.Errorf("mended: %+v, said %v", report, news.mended)
			}
		})
	}
}

// TestInvariantsUnderWay holds what is normal to be no violation, however long
// it takes.
func TestInvariantsUnderWay(t *testing.T) {
	quiet := func(t *testing.T, d *desk, s deskStore, beat func()) {
		t.Helper()
		for range 20 {
			d.now = d.now.Add(2500 * time.Millisecond)
			if beat != nil {
				beat()
			}
			if report, news := d.compared(s); report.Violations != 0 || len(news.broken) != 0 {
				t.Fatalf("%+v", report)
			}
		}
	}
	t.Run("a write under way", func(t *testing.T) {
		d, runs, _, _ := busy(t)
		s := d.disk()
		next := runs.task
		next.State = cluster.StateCollectOutput
		w := d.m.propose(runs, next)
		s["runs"] = w.Task // on the disk already; memory does not know it
		quiet(t, d, s, func() { d.healthyBeat() })
		d.ok(d.m.committed(d.now, w, nil))
		if report, _ := d.compared(s); report.Pending != 0 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("a loss that the store refuses", func(t *testing.T) {
		d, _, _, _ := busy(t)
		s := d.disk()
		d.settle(d.m.loseWorker(d.now, d.m.workers["w1"]), db.ErrUnavailable)
		quiet(t, d, s, nil)
	})
	t.Run("a silent worker tells nothing", func(t *testing.T) {
		d, _, _, _ := busy(t)
		s := d.disk()
		d.beat("w1", nil) // shows nothing, and is the last word
		quiet(t, d, s, nil)
	})
	t.Run("a worker whose engine is down", func(t *testing.T) {
		d, _, _, _ := busy(t)
		s := d.disk()
		quiet(t, d, s, func() { d.beat("w1", func(h *Heartbeat) { h.Healthy = false }) })
	})
	t.Run("a container that takes its grace", func(t *testing.T) {
		d, runs, _, _ := busy(t)
		s := d.disk()
		ref := runs.task.Ref()
		long := runs.task
		long.State, long.Spec.GracePeriod = cluster.StateStored, time.Hour
		s["runs"] = long
		delete(d.m.tasks, "runs")
		delete(d.m.workers["w1"].attempts, "runs")
		quiet(t, d, s, func() { d.healthyBeat(ref) })
	})
	t.Run("a task that keeps changing", func(t *testing.T) {
		d, _, _, waits := busy(t)
		s := d.disk()
		priority := 0
		quiet(t, d, s, func() {
			d.healthyBeat()
			s["waits"] = waits.task // one behind
			priority = 1 - priority
			st, _, err := d.m.edit(d.now, waits, cluster.Edit{Priority: &priority}, 0, "ann")
			if err != nil {
				t.Fatal(err)
			}
			d.ok(st)
			before := d.m.glance("waits")
			before.version--
			d.m.suspect(d.now, subject{kind: StoreDiffers, ref: cluster.AttemptRef{TaskID: "waits"}})
			d.m.compareStored(d.now, subject{kind: StoreDiffers, ref: cluster.AttemptRef{TaskID: "waits"}}, before, s["waits"], true)
			s["waits"] = waits.task
		})
	})
}

// TestInvariantsAfterSleep: what is seen before and after the master has slept
// has not been so in between for all that anybody knows.
func TestInvariantsAfterSleep(t *testing.T) {
	d, _, _, _ := busy(t)
	s := d.disk()
	d.healthyBeat()
	d.m.queue.Remove("waits")
	d.compared(s)
	d.now = d.now.Add(time.Hour)
	if report, _ := d.compared(s); report.Violations != 0 || report.Pending != 1 {
		t.Fatalf("just awake: %+v", report)
	}
	for range 4 {
		d.now = d.now.Add(4 * time.Second)
		d.healthyBeat()
		d.compared(s)
	}
	if report, _ := d.compared(s); report.Violations != 1 {
		t.Fatalf("awake for 16 s: %+v", report)
	}
}

// TestInvariantsBounded keeps memory and reports bounded whatever is wrong.
func TestInvariantsBounded(t *testing.T) {
	d := newDesk(t)
	w := newWorker(cluster.Worker{ID: "w1"})
	d.m.addWorker(w)
	for n := range openMost + 500 {
		w.attempts[cluster.TaskID(strings.Repeat("x", 1+n%7)+time.Duration(n).String())] = cluster.Resources{CPU: 1}
	}
	report, _ := d.compared(deskStore{})
	if len(d.m.mismatches.open) != openMost || report.Pending != openMost+500 || len(report.Mismatches) != mismatchesMost || report.Kinds[0].Pending != openMost {
		t.Fatalf("%d kept, %d pending, %d named, kinds %+v", len(d.m.mismatches.open), report.Pending, len(report.Mismatches), report.Kinds)
	}
	clear(w.attempts)
	if report, _ = d.compared(deskStore{}); report.Pending != 0 || len(d.m.mismatches.open) != 0 {
		t.Fatalf("%+v", report)
	}
}
