package coordinator

import (
	"errors"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

var errSilent = errors.New("no answer")

// An assignment that is on its way is neither repeated nor asked about, whatever
// else the worker is heard to say.
func TestAssignmentOnItsWayIsLeftAlone(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.ok(d.m.called(d.now, a.to, errSilent))
	if st := d.ok(d.m.called(d.now, a.to, nil)); len(st.assigns) != 0 {
		t.Error("sent twice at once")
	}
	if reply, st := d.beat("w", nil); len(reply.Expect)+len(st.assigns) != 0 {
		t.Errorf("asked about: %+v, sent %d times", reply, len(st.assigns))
	}
	d.answer(a, errSilent)
	if st := d.ok(d.m.called(d.now, a.to, nil)); len(st.assigns) != 1 || e.tries != 2 {
		t.Errorf("unanswered, and not repeated: %d, try %d", len(st.assigns), e.tries)
	}
}

// What an earlier process of the worker has refused does not make the next one
// rest.
func TestRefusalsOfAnotherSession(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s1")
	_, first := d.place("t1", spec())
	_, other := d.place("t2", spec())
	e, second := d.place("t3", spec())
	d.answer(first, cluster.ErrRefused)
	d.answer(other, cluster.ErrRefused)
	w := d.m.workers["w"]
	if w.closed() == "" {
		t.Fatal("it does not rest")
	}
	d.join("w", "s2", running(e.task.Ref(), cluster.StateRunning))
	if w.closed() != "" {
		t.Fatalf("the new process rests: %s", w.closed())
	}
	d.answer(second, cluster.ErrRefused)
	if w.closed() != "" {
		t.Fatalf("it rests for a late answer of the old one: %s", w.closed())
	}
	d.want(e, cluster.StateAssigned, 1)
	st := d.ok(d.m.dispatch(d.now))
	d.answer(st.assigns[0], cluster.ErrRefused)
	if rest := w.restUntil.Sub(d.now); rest != restFirst {
		t.Fatalf("after its first refusal it rests for %s", rest)
	}
}

// Another process at the worker's address is not the worker.
func TestProbeThatAnotherAnswers(t *testing.T) {
	for name, h := range map[string]Hello{"session": {WorkerID: "w", Session: "other"}, "id": {WorkerID: "v", Session: "s"}} {
		d := newDesk(t)
		_, st := d.m.register(d.now, Registration{Caller: from("w", "s"), Address: "host:1"})
		st = d.ok(st)
		d.ok(d.m.helloAnswered(d.now, st.hellos[0], h, nil))
		if d.m.workers["w"].reachable {
			t.Errorf("another %s passes for the worker", name)
		}
	}
}

// A worker that is lost is not called: it registers or sends a heartbeat.
func TestLostWorkerIsNotProbed(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	_, a := d.place("t", spec())
	d.pass(15 * time.Second)
	d.answer(a, errSilent) // late
	for range 10 {
		if st := d.pass(time.Second); len(st.hellos) > 0 {
			t.Fatal("called")
		}
	}
	if _, st := d.beat("w", func(h *Heartbeat) { h.Leaving = true }); len(st.hellos) > 0 {
		t.Fatal("called while it leaves")
	}
	if _, st := d.beat("w", nil); len(st.hellos) != 1 {
		t.Fatal("not called when it is back")
	}
}
