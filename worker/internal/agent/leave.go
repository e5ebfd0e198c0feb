package agent

import "time"

// Leave says that the worker goes away: the master is told, no attempt is
// accepted any more. With stopTasks the attempts end; otherwise their
// containers run on.
func (m *Machine) Leave(now time.Time, stopTasks bool) []Action {
	m.leaving = true
	if stopTasks {
		m.noteLeaving(now)
		for _, a := range m.sorted() {
			a.orders.leave = true
			a.spec.Grace = min(a.spec.Grace, leaveGrace)
			m.settle(now, a)
		}
	}
	m.beatSoon(now)
	return m.take()
}

// noteLeaving has the next process take the ends of the containers that are
// stopped now for what they are, should this one not get to report them: a
// program that was told to stop can end with 0 just as well.
func (m *Machine) noteLeaving(now time.Time) {
	e := &m.engine
	e.absent(Absence{From: now, To: now.Add(stopAllLimit + 2*leaveGrace)})
	downSince := time.Time{}
	if e.refused {
		downSince = e.lastOK
	}
	m.noteEngine(downSince)
}

// leaveGrace leaves time to report what was stopped.
const leaveGrace = 5 * time.Second

// Left reports whether nothing remains to be waited for: the master has been
// told, no result or removal is on its way, and with stopTasks no attempt is
// left.
func (m *Machine) Left(stopTasks bool) bool {
	if m.link.joined && !m.link.left {
		return false
	}
	for _, a := range m.attempts {
		if stopTasks || a.busy && (a.phase == phaseReport || a.phase == phaseRemove) {
			return false
		}
	}
	return true
}
