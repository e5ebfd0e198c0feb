package agent

import (
	"time"

	"cloudai/worker/internal/executor"
)

// Found is the first input: the engine answers, and these containers carry
// this worker's id. absences are those of the engine that earlier processes
// have seen. Until the master has decided the containers are only watched for
// their timeouts.
func (m *Machine) Found(now time.Time, containers []executor.Container, absences []Absence) []Action {
	e := &m.engine
	e.absences, e.past = absences, len(absences)
	e.up, e.probeAt = true, now.Add(probeEvery)
	if e.lastOK.IsZero() {
		e.lastOK = now
	}
	m.link.joinAt = now
	for _, c := range containers {
		ref := refOf(c.Spec.Key)
		if c.HalfMade || checkRef(ref) != nil || m.attempts[ref] != nil {
			continue // half made is an attempt that has not begun, and an orphan
		}
		a := &attempt{ref: ref, spec: c.Spec, phase: phaseHeld}
		m.add(a)
		m.adopt(now, a, c)
		m.settle(now, a)
	}
	m.tickLink(now)
	return m.take()
}

// Answered says when a call to the engine began that it has answered. It comes
// before Found.
func (m *Machine) Answered(at time.Time) { m.engine.lastOK = at }

// adopt notes how far a container has come. What is past is reported with the
// times that the engine has kept.
func (m *Machine) adopt(now time.Time, a *attempt, c executor.Container) {
	a.box.id = c.ID
	at := startTime(c.StartedAt, now)
	a.enter(StateImagePulled, at, now)
	a.enter(StateContainerCreated, at, now)
	if c.Phase != executor.PhaseCreated {
		m.started(now, a, c.StartedAt)
	}
	switch {
	case c.Phase == executor.PhaseRunning:
		a.box.spared = m.engine.past
	case c.Phase == executor.PhaseExited:
		a.box.running = false
	case c.Phase == executor.PhaseCreated && c.Error != "":
		// The engine has refused to start it. An earlier process has perhaps
		// said so: what it said stands, and the container is not tried again.
		a.end.failure, a.end.message = FailureRuntime, c.Error
	case c.Phase == executor.PhaseCreated:
		// An earlier process's call may yet start it, or have done so.
		a.box.doubt, a.box.toldAt = true, m.link.marks[a.ref]
	}
}
