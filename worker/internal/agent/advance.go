package agent

import "time"

// obey acts upon the work under way: what nobody wants is interrupted, a
// container that is to end is stopped.
func (m *Machine) obey(now time.Time, a *attempt) {
	if a.busy && !a.orders.interrupted && a.interruptible() {
		a.orders.interrupted = true
		m.do(Interrupt{side{a.ref}})
	}
	if m.stopDue(now, a) {
		a.box.stop.busy = true
		m.do(StopContainer{side: side{a.ref}, ID: a.box.id, Grace: a.spec.Grace})
	}
}

// stopDue reports whether the container is to be stopped now. Removing stops
// by itself.
func (m *Machine) stopDue(now time.Time, a *attempt) bool {
	return a.box.running && a.wantsStop() && !a.box.stop.busy && a.phase != phaseRemove &&
		m.engine.up && !now.Before(a.box.stop.at)
}

// ready reports whether the attempt's next work may begin.
func (m *Machine) ready(now time.Time, a *attempt) bool {
	switch {
	case a.busy:
		return false
	case a.orders.discard && a.phase != phaseRemove, a.orders.halt() && a.beforeRun():
		return true
	case now.Before(a.retry.at), a.retry.engine && !m.engine.up:
		return false
	case a.phase == phaseUpload, a.phase == phaseReport, a.phase == phasePushLog:
		return m.link.joined
	}
	return true
}

// advance goes through the attempt's steps until one of them takes time.
func (m *Machine) advance(now time.Time, a *attempt) {
	for m.attempts[a.ref] == a && m.ready(now, a) {
		a.retry.engine = false
		if a.orders.discard && a.phase != phaseRemove {
			m.remove(a)
		}
		before := a.phase
		m.step(now, a)
		if a.phase == before {
			return
		}
	}
}

// step begins the phase's work, or passes to another phase where there is
// nothing to do.
func (m *Machine) step(now time.Time, a *attempt) {
	switch a.phase {
	case phaseHeld:
	case phasePull:
		m.stepPull(now, a)
	case phaseCreate:
		m.stepCreate(now, a)
	case phaseRun:
		m.stepRun(now, a)
	case phaseConfirm:
		m.stepConfirm(now, a)
	case phaseCollect:
		m.start(a, Collect{work: work{a.ref}, Dir: a.spec.OutputDir, Limit: a.spec.Storage << 20})
	case phaseUpload:
		m.start(a, Upload{work: work{a.ref}, UserID: a.spec.UserID, Dir: a.spec.OutputDir, Files: a.end.output.Files})
	case phaseReport:
		m.stepReport(a)
	case phasePushLog:
		m.start(a, PushLog{work: work{a.ref}, UserID: a.spec.UserID, From: a.end.missing.from})
	case phaseRemove:
		m.stepRemove(a)
	}
}

// next is the attempt's nearest deadline.
func (m *Machine) next(now time.Time, a *attempt) time.Time {
	var at []time.Time
	if !a.busy && now.Before(a.retry.at) {
		at = append(at, a.retry.at)
	}
	if a.busy && a.phase == phasePull && !a.pull.stalled {
		at = append(at, a.pull.giveUp)
	}
	if a.box.running {
		if !a.box.overdue {
			at = append(at, a.box.deadline)
		}
		if a.wantsStop() && !a.box.stop.busy && now.Before(a.box.stop.at) {
			at = append(at, a.box.stop.at)
		}
		if a.phase == phaseRun && !a.box.sample.busy {
			at = append(at, a.box.sample.at)
		}
	}
	return earliest(append(at, m.tellAt(a))...)
}
