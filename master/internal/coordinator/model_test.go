package coordinator

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

func (w *world) submit() {
	n := w.serial
	spec := cluster.Spec{
		Image: "sim", Priority: w.rng.IntN(3), GracePeriod: time.Second,
		Resources:  cluster.Resources{CPU: 0.5 + float64(w.rng.IntN(4)), Memory: 64, Storage: 64},
		MaxRetries: w.rng.IntN(3), MaxReschedules: w.rng.IntN(3),
	}
	id := cluster.TaskID(w.next("t"))
	e, st := w.m.submit(w.now, id, "ann", spec, "")
	w.note("submit %s (%d)", id, n)
	w.do(st)
	settled := e.settled
	w.fly(func() { w.acknowledge(e, settled) })
}

// acknowledge is the caller of Submit coming back to look.
func (w *world) acknowledge(e *task, settled <-chan struct{}) {
	select {
	case <-settled:
		if e.task.Version > 0 {
			w.acked = append(w.acked, e.task.ID)
		}
	default:
		w.fly(func() { w.acknowledge(e, settled) })
	}
}

func (w *world) cancelOne() {
	if len(w.acked) == 0 {
		return
	}
	e := w.m.tasks[w.acked[w.rng.IntN(len(w.acked))]]
	if e == nil {
		return
	}
	st, wait, err := w.m.cancel(w.now, e, "ann")
	if err != nil {
		w.failf("cancel of an active task: %v", err)
	}
	if wait == nil {
		w.note("cancel %s", e.task.ID)
		w.do(st)
	}
}

func (w *world) editOne() {
	if len(w.acked) == 0 {
		return
	}
	e := w.m.tasks[w.acked[w.rng.IntN(len(w.acked))]]
	if e == nil {
		return
	}
	priority := w.rng.IntN(3)
	st, _, err := w.m.edit(w.now, e, cluster.Edit{Priority: &priority}, 0, "ann")
	if waits := e.task.State.Waiting() && !e.task.CancelRequested; err != nil && waits {
		w.failf("edit of waiting task %s: %v", e.task.ID, err)
	}
	w.note("edit %s: %v", e.task.ID, err)
	w.do(st)
}

// manage does what administrators do to workers.
func (w *world) manage(s *simWorker) {
	var st step
	var err error
	switch n := w.rng.IntN(4); {
	case w.m.barred(s.id):
		w.note("worker %s is registered again", s.id)
		if st, err = w.m.readmit(s.id); err != nil {
			return // not yet
		}
	case n == 0:
		st, err = w.m.remove(s.id, true)
		if err == nil {
			err = w.putWorker(s.id)
			w.note("worker %s is removed: %v", s.id, err)
			st = w.m.removed(w.now, s.id, err)
			err = nil
		}
	default:
		w.note("worker %s drains: %v", s.id, n > 1)
		st, err = w.m.drain(s.id, n > 1)
	}
	if err != nil && w.m.known(s.id) != nil {
		w.failf("managing worker %s: %v", s.id, err)
	}
	w.do(st)
}

// pass lets time go by and does what is due.
func (w *world) pass(d time.Duration) {
	for left := d; left > 0; left -= time.Second {
		w.now = w.now.Add(min(left, time.Second))
		w.do(w.m.tick(w.now))
		w.do(w.m.dispatch(w.now))
	}
}

// jump lets the master sleep: its timers fire late. Nobody is lost by that.
func (w *world) jump(d time.Duration) {
	w.now = w.now.Add(d)
	w.note("the master has slept for %v", d)
	slept := !w.m.next.IsZero() && w.now.Sub(w.m.next) > lateness
	lost := w.lost()
	w.do(w.m.tick(w.now))
	if now := w.lost(); slept && now > lost {
		w.failf("%d workers were lost while the master slept", now-lost)
	}
	w.do(w.m.dispatch(w.now))
}

func (w *world) lost() (n int) {
	for _, wk := range w.m.order {
		if wk.worker.Lost {
			n++
		}
	}
	return n
}

// operate does one random thing.
func (w *world) operate() {
	s := w.workers[w.rng.IntN(len(w.workers))]
	switch n := w.rng.IntN(1000); {
	case n < 60:
		w.submit()
	case n < 73:
		w.cancelOne()
	case n < 80:
		w.editOne()
	case n < 83:
		w.manage(s)
	case n < 500:
		w.deliver()
	case n < 780:
		w.work(s)
	case n < 900:
		w.heartbeat(s)
	case n < 985:
		w.pass(time.Duration(1+w.rng.IntN(1500)) * time.Millisecond)
	case n < 988:
		w.startWorker(s)
	case n < 992:
		s.cut = !s.cut
		w.note("worker %s cut: %v", s.id, s.cut)
	case n < 993:
		s.sick = !s.sick
	case n < 995:
		w.vanish(s)
	case n < 996:
		w.leave(s)
	case n < 997:
		w.jump(time.Duration(3+w.rng.IntN(60)) * time.Second)
	default:
		w.startMaster()
	}
	w.check()
}

// settle ends all faults and lets everything come to its end.
func (w *world) settle() {
	w.calm = true
	for _, s := range w.workers {
		s.cut, s.sick = false, false
		if st, err := w.m.drain(s.id, false); err == nil {
			w.do(st)
		}
		if s.away {
			w.startWorker(s)
		}
	}
	for range 3000 {
		for _, s := range w.workers {
			if st, err := w.m.readmit(s.id); err == nil {
				w.do(st)
			}
			w.heartbeat(s)
			for range 2 * len(s.attempts) {
				w.work(s)
			}
		}
		for len(w.flying) > 0 {
			w.deliver()
			w.check()
		}
		w.pass(time.Second)
		w.check()
		w.holds()
		if len(w.m.tasks) == 0 && len(w.flying) == 0 {
			break
		}
	}
	for id, e := range w.m.tasks {
		w.failf("task %s never ended: %+v pending %v", id, e.task, e.pending != nil)
	}
	for _, id := range w.acked {
		t, ok := w.seen[id]
		if !ok || !t.Terminal() {
			w.failf("P2: task %s has no verdict", id)
		}
	}
	for id, n := range w.starts {
		t := w.seen[id]
		if allowed := 1 + t.Spec.MaxRetries + t.Spec.MaxReschedules; n > allowed {
			w.failf("task %s was started %d times, its budgets allow %d", id, n, allowed)
		}
	}
	for range 20 {
		for _, s := range w.workers {
			w.heartbeat(s)
			w.work(s) // repeats its report until it is answered
		}
		for len(w.flying) > 0 {
			w.deliver()
		}
	}
	for _, s := range w.workers {
		if len(s.attempts) > 0 {
			w.failf("worker %s still has %v", s.id, s.refs())
		}
		w.heartbeat(s)
	}
	for len(w.flying) > 0 {
		w.deliver()
	}
	if report := w.holds(); report.Pending > 0 {
		w.failf("nothing is under way, and this does not agree: %+v", report.Mismatches)
	}
}

// holds makes the master's own comparison of store, memory and heartbeats:
// without faults nothing stays wrong for longer than the timeout.
func (w *world) holds() InvariantReport {
	report, _, err := w.m.compareAll(w.now, w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	if report.Violations > 0 {
		w.failf("invariants do not hold: %+v", report.Mismatches)
	}
	return report
}

// TestModel runs random operations and checks P1, P2, P4 and P7 after each.
// MODEL_SEED repeats a failure.
func TestModel(t *testing.T) {
	first, rounds := uint64(time.Now().UnixNano()), 60
	if s := os.Getenv("MODEL_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, rounds = n, 1
	}
	for n := range rounds {
		seed := first + uint64(n)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("repeat with MODEL_SEED=%d", seed)
			w := newWorld(t, seed)
			for range 2000 {
				w.operate()
			}
			w.settle()
			if len(w.acked) < 20 {
				w.failf("only %d tasks were acknowledged: the run says little", len(w.acked))
			}
		})
	}
}

// TestModelRepeats holds the model to its promise that a seed is a run.
func TestModelRepeats(t *testing.T) {
	run := func() []string {
		w := newWorld(t, 42)
		for range 1500 {
			w.operate()
		}
		return w.trace
	}
	a, b := run(), run()
	if len(a) != len(b) {
		t.Fatalf("%d and %d events", len(a), len(b))
	}
	for n := range a {
		if a[n] != b[n] {
			t.Fatalf("event %d: %q and %q", n, a[n], b[n])
		}
	}
}
