package coordinator

import (
	"errors"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// A worker that leaves in order may be away for as long as it says, within
// bounds.
func TestRestartGraceHasBounds(t *testing.T) {
	for said, want := range map[time.Duration]time.Duration{
		0: 15 * time.Second, time.Minute: time.Minute, 1000 * time.Hour: maxRestartGrace,
	} {
		d := newDesk(t)
		d.join("w", "s")
		d.beat("w", func(h *Heartbeat) { h.Leaving, h.RestartGrace = true, said })
		if w := d.m.workers["w"]; w.deadline.Sub(d.now) != want || !w.deadline.Equal(w.worker.LeftUntil) {
			t.Errorf("%s: waited for until %s, %s", said, w.deadline.Sub(d.now), w.worker.LeftUntil.Sub(d.now))
		}
	}
}

// An attempt whose result is here may be shown while the worker clears up; a
// container of it that runs may not.
func TestAttemptIsClearedUp(t *testing.T) {
	d := newDesk(t)
	d.join("w", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	ref := e.task.Ref()
	d.complete(e, cluster.OutcomeSuccess, "")
	shows := func(s cluster.State) func(*Heartbeat) {
		return func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(ref, s)} }
	}
	if reply, _ := d.beat("w", shows(cluster.StateReportResult)); len(reply.Stop) != 0 {
		t.Error("told to stop while it clears up")
	}
	if reply, _ := d.beat("w", shows(cluster.StateRunning)); !has(reply.Stop, ref) {
		t.Error("a container that runs is left alone")
	}
	d.pass(11 * time.Second)
	if reply, _ := d.beat("w", shows(cluster.StateReportResult)); !has(reply.Stop, ref) {
		t.Error("still there after two heartbeats, and not told to stop")
	}
	if w := d.m.workers["w"]; len(w.recent) != 0 {
		t.Errorf("remembered for ever: %v", w.recent)
	}
}

// The lease is not enough: an attempt is its own worker's.
func TestAnothersAttempt(t *testing.T) {
	d := newDesk(t)
	d.join("v", "s")
	e, a := d.place("t", spec())
	d.answer(a, nil)
	d.join("w", "s")
	if _, _, err := d.m.attempt(from("w", "s"), e.task.Ref()); !errors.Is(err, cluster.ErrUnknownTask) {
		t.Errorf("spoken for by another: %v", err)
	}
	reply, _ := d.beat("w", func(h *Heartbeat) {
		h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateRunning)}
		h.Absent = []cluster.AttemptRef{e.task.Ref()}
	})
	if !has(reply.Stop, e.task.Ref()) {
		t.Error("another may run it")
	}
	d.want(e, cluster.StateAssigned, 1)
}
