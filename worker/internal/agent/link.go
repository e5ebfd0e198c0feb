package agent

import (
	"slices"
	"time"
)

const (
	// joinAgain is the pause before registering again with a master that could
	// not be reached, joinSlowly with one that has refused.
	joinAgain  = time.Second
	joinSlowly = 30 * time.Second
	// wanted is how long after a call of the master its refusal is not taken for
	// its last word: it calls a worker that it is about to let in.
	wanted = 10 * time.Second
	// beatAgain is the pause after a heartbeat that was not answered.
	beatAgain = time.Second
)

// link is the worker's standing with the master.
type link struct {
	joined    bool
	clusterID string // from the first registration on
	interval  time.Duration
	joining   bool
	joinAt    time.Time // zero before the start
	calledAt  time.Time // by the master, last
	beating   bool
	beatAt    time.Time
	soon      bool // another heartbeat is wanted after this one
	number    uint64
	leaving   bool              // the heartbeat on its way announces the worker's stop
	left      bool              // such a heartbeat has been answered, or was given up
	absent    []Ref             // to be said in the next heartbeat
	refused   past              // attempts that were refused, or said to be absent
	gone      []Ref             // whose containers were started by an earlier process and are not there
	marks     map[Ref]time.Time // when an earlier process was about to start those that are there
}

func (l *link) deadline(leaving bool) time.Time {
	switch {
	case l.joined && !l.beating:
		return l.beatAt
	case !l.joined && !l.joining && !leaving:
		return l.joinAt
	}
	return time.Time{}
}

func (m *Machine) tickLink(now time.Time) {
	if !reached(now, m.link.deadline(m.leaving)) {
		return
	}
	if m.link.joined {
		m.beat(now)
		return
	}
	m.link.joining = true
	m.do(Register{Running: append(m.runningSet(), m.link.goneSet()...)})
}

// runningSet is every attempt from its acceptance to its acknowledged result,
// and every container of ours that no attempt owns.
func (m *Machine) runningSet() []Running {
	set := make([]Running, 0, len(m.attempts))
	for _, a := range m.sorted() {
		if !a.end.acked {
			set = append(set, a.running())
		}
	}
	return append(set, m.orphans.running()...)
}

// Joined is the master's answer to a registration.
type Joined struct {
	Reply
	ClusterID string
	Interval  time.Duration // of heartbeats; 0: as before
	Stop      []Ref         // of the attempts listed; the others go on
}

// Registered brings the answer to a registration.
func (m *Machine) Registered(now time.Time, r Joined) []Action {
	m.link.joining = false
	switch r.Code {
	case ReplyOK:
		m.join(now, r)
	case ReplyDenied, ReplyClone, ReplyRefused:
		m.link.joinAt = now.Add(joinSlowly)
		if m.link.calledAt.Add(wanted).After(now) {
			m.link.joinAt = now.Add(joinAgain)
		}
	case ReplyRetry, ReplyGone, ReplyQuota, ReplyUnknownSession:
		m.link.joinAt = now.Add(joinAgain)
	}
	return m.take()
}

func (m *Machine) join(now time.Time, r Joined) {
	l := &m.link
	l.joined, l.clusterID, l.beatAt = true, r.ClusterID, now
	if r.Interval > 0 {
		l.interval = r.Interval
	}
	m.forgetGone(r.Stop)
	for _, ref := range l.gone {
		m.disown(ref)
	}
	stop := setOf(r.Stop)
	for _, a := range m.sorted() {
		_, unwanted := stop[a.ref]
		switch {
		case a.phase == phaseHeld && a.spec.Key.ClusterID != l.clusterID:
			// Another cluster's: not ours to touch, now or later.
			m.alarms.clear(a)
			delete(m.attempts, a.ref)
			m.do(Forget{side{a.ref}})
			continue
		case unwanted:
			m.discard(now, a)
		case a.phase == phaseHeld && a.box.ran:
			a.phase = phaseRun
		}
		a.news.report.at = time.Time{}
		if a.phase == phaseReport {
			a.retry.at = time.Time{}
		}
		if m.attempts[a.ref] == a {
			m.settle(now, a)
		}
	}
	m.tickLink(now)
}

// lostSession registers again: the master does not know this session.
func (m *Machine) lostSession(now time.Time) {
	if m.link.joined {
		m.link.joined = false
		m.link.joinAt = now
		m.tickLink(now)
	}
}

// MasterCalled says that the master has called back: a heartbeat or a
// registration now finds it.
func (m *Machine) MasterCalled(now time.Time) []Action {
	m.link.calledAt = now
	if m.link.joined {
		m.beatSoon(now)
	} else if !m.link.joinAt.IsZero() {
		m.link.joinAt = now
		m.tickLink(now)
	}
	return m.take()
}

// beatSoon sends a heartbeat as soon as the last one has been answered.
func (m *Machine) beatSoon(now time.Time) {
	if !m.link.joined {
		return
	}
	if m.link.beating {
		m.link.soon = true
		return
	}
	m.beat(now)
}

func (m *Machine) beat(now time.Time) {
	l := &m.link
	l.number++
	l.beating, l.soon, l.leaving = true, false, m.leaving
	l.beatAt = now.Add(l.interval)
	m.do(SendHeartbeat{Heartbeat{
		Number:  l.number,
		Running: append(m.runningSet(), l.goneSet()...),
		Absent:  slices.Clone(l.absent),
		Healthy: m.engine.trouble() == "",
		Message: m.engine.trouble(),
		Leaving: m.leaving,
		Stored:  m.stored(),
	}})
	m.list(now)
}

// stored is what the outputs that are here take, as far as that was measured.
func (m *Machine) stored() (sum int64) {
	for _, a := range m.attempts {
		sum += max(a.news.usage.OutputBytes, a.end.output.Size)
	}
	return sum
}

// Beat is the master's answer to a heartbeat.
type Beat struct {
	Reply
	ClusterID string
	Stop      []Ref
	Expect    []Ref
	Cancel    []Ref
}

// HeartbeatAnswered brings the answer to a heartbeat that named so many absent
// attempts.
func (m *Machine) HeartbeatAnswered(now time.Time, absent int, r Beat) []Action {
	l := &m.link
	l.beating = false
	l.left = l.left || l.leaving
	switch r.Code {
	case ReplyOK:
		said := min(absent, len(l.absent))
		m.forgetGone(l.absent[:said])
		l.absent = l.absent[said:]
		if r.ClusterID == l.clusterID {
			m.obeyMaster(now, r)
			m.releaseHeld(now)
		}
	case ReplyUnknownSession, ReplyDenied:
		m.lostSession(now)
	case ReplyRetry, ReplyGone, ReplyQuota, ReplyClone, ReplyRefused:
		l.beatAt = earliest(l.beatAt, now.Add(beatAgain))
	}
	if l.soon && l.joined {
		m.beat(now)
	}
	return m.take()
}

// releaseHeld lets containers that an earlier process has made and not started
// go on: only the answer to a heartbeat says which of them were cancelled
// meanwhile.
func (m *Machine) releaseHeld(now time.Time) {
	for _, a := range m.sorted() {
		if a.phase == phaseHeld {
			a.phase = phaseRun
			m.settle(now, a)
		}
	}
}

func (m *Machine) obeyMaster(now time.Time, r Beat) {
	for _, ref := range r.Cancel {
		if a := m.attempts[ref]; a != nil && m.ours(a) {
			m.cancel(now, a)
		}
	}
	for _, ref := range r.Stop {
		if a := m.attempts[ref]; a != nil && m.ours(a) {
			m.discard(now, a)
		} else if a == nil {
			m.removeOrphan(ref)
		}
	}
	for _, ref := range r.Expect {
		if a := m.attempts[ref]; a == nil {
			m.disown(ref)
		}
		m.link.soon = true
	}
}

// disown answers that an attempt is not here. It is refused from now on: the
// master takes that answer for the attempt's end.
func (m *Machine) disown(ref Ref) {
	m.link.refused.add(ref)
	if !slices.Contains(m.link.absent, ref) {
		m.link.absent = append(m.link.absent, ref)
	}
}

func (m *Machine) ours(a *attempt) bool { return a.spec.Key.ClusterID == m.link.clusterID }

func setOf(refs []Ref) map[Ref]struct{} {
	set := make(map[Ref]struct{}, len(refs))
	for _, ref := range refs {
		set[ref] = struct{}{}
	}
	return set
}
