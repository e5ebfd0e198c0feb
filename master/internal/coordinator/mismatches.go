package coordinator

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
)

// InvariantReport is what the last look at the invariants has found.
type InvariantReport struct {
	CheckedAt  time.Time // when memory and heartbeats were last compared; zero: not yet
	SweptAt    time.Time // when the last complete comparison with the store began; zero: none yet
	Pending    int       // do not agree at the moment, which is normal while something is under way
	Violations int       // have not agreed for longer than the heartbeat timeout
	Kinds      []InvariantCount
	// Mismatches are up to 100 of them, violations first, the oldest first. They
	// are for administrators.
	Mismatches []Mismatch
}

// InvariantCount is how often one invariant does not hold.
type InvariantCount struct {
	Invariant  Invariant
	Violations int
	Pending    int
	Oldest     time.Duration // age of the oldest of them
}

// mismatchesMost bounds what a report names.
const mismatchesMost = 100

func (a *InvariantReport) add(x Mismatch) {
	at := slices.IndexFunc(a.Kinds, func(k InvariantCount) bool { return k.Invariant == x.Invariant })
	if at < 0 {
		at = len(a.Kinds)
		a.Kinds = append(a.Kinds, InvariantCount{Invariant: x.Invariant})
	}
	k := &a.Kinds[at]
	if x.Violation {
		a.Violations++
		k.Violations++
	} else {
		a.Pending++
		k.Pending++
	}
	k.Oldest = max(k.Oldest, x.Age)
	a.Mismatches = append(a.Mismatches, x)
}

// Mismatch is one thing that an invariant does not hold for.
type Mismatch struct {
	Invariant Invariant
	TaskID    cluster.TaskID
	Attempt   int              // 0: not about one
	WorkerID  cluster.WorkerID // empty: not about one
	Violation bool
	Age       time.Duration // from the first evidence to the last
	subject   subject
}

func (x Mismatch) compare(o Mismatch) int { return x.subject.compare(o.subject) }

func (a *InvariantReport) sort() {
	rank := func(x Mismatch) int {
		if x.Violation {
			return 0
		}
		return 1
	}
	slices.SortFunc(a.Mismatches, func(x, y Mismatch) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(y.Age, x.Age), x.compare(y))
	})
	a.Mismatches = a.Mismatches[:min(mismatchesMost, len(a.Mismatches))]
	slices.SortFunc(a.Kinds, func(x, y InvariantCount) int { return strings.Compare(string(x.Invariant), string(y.Invariant)) })
}

// checkWorkers compares the places and the last heartbeats of up to n workers,
// from the given one on, with the tasks. more is false after the last worker.
func (m *machine) checkWorkers(now time.Time, from, n int) (more bool) {
	to := min(from+n, len(m.order))
	for _, w := range m.order[min(from, to):to] {
		for id := range w.attempts {
			if m.placeOfNobody(w, id) {
				m.suspect(now, subject{kind: PlaceWithoutAttempt, ref: cluster.AttemptRef{TaskID: id}, worker: w.worker.ID})
			}
			if e := m.tasks[id]; e != nil && e.live(e.task.Ref()) {
				if m.notRunning(e, w) {
					m.suspect(now, subject{kind: NotRunning, ref: e.task.Ref(), worker: w.worker.ID})
				}
				if m.placeless(e) {
					m.suspect(now, subject{kind: PlacedWithoutPlace, ref: e.task.Ref(), worker: e.task.WorkerID})
				}
			}
		}
		for ref := range w.shown {
			if m.runsForNobody(w, ref) {
				m.suspectRunning(now, w, ref)
			}
		}
	}
	return to < len(m.order)
}

// suspectRunning notes what a worker shows and nobody owns. Its container may
// take its grace period to end, which the task says, when it is known.
func (m *machine) suspectRunning(now time.Time, w *worker, ref cluster.AttemptRef) {
	s := subject{kind: RunsWithoutAttempt, ref: ref, worker: w.worker.ID}
	m.suspect(now, s)
	x := m.mismatches.open[s]
	if x == nil || x.judged {
		return
	}
	x.grace = cluster.DefaultGracePeriod
	if e := m.tasks[ref.TaskID]; e != nil {
		x.grace, x.judged = e.task.Spec.GracePeriod, true
	}
}

// active lists the tasks in memory, in no order.
func (m *machine) active() []cluster.TaskID {
	ids := make([]cluster.TaskID, 0, len(m.tasks))
	for id := range m.tasks {
		ids = append(ids, id)
	}
	return ids
}

// checkTasks looks whether these tasks have their place in the queue or on a
// worker, and whether the sweep of that number has met them in the store; 0:
// none has been made.
func (m *machine) checkTasks(now time.Time, ids []cluster.TaskID, sweep uint64) {
	for _, id := range ids {
		e := m.tasks[id]
		if e == nil || !m.settled(e) {
			continue
		}
		if m.unqueued(e) {
			m.suspect(now, subject{kind: WaitsOutsideQueue, ref: cluster.AttemptRef{TaskID: id}})
		}
		if m.placeless(e) {
			m.suspect(now, subject{kind: PlacedWithoutPlace, ref: e.task.Ref(), worker: e.task.WorkerID})
		}
		if sweep > 0 && e.swept != sweep {
			m.suspect(now, subject{kind: StoreDiffers, ref: cluster.AttemptRef{TaskID: id}})
		}
	}
}

// checkQueue looks whether these, which were in the queue, wait.
func (m *machine) checkQueue(now time.Time, ids []string) {
	for _, id := range ids {
		if s := (subject{kind: QueuedNotWaiting, ref: cluster.AttemptRef{TaskID: cluster.TaskID(id)}}); m.differs(s) {
			m.suspect(now, s)
		}
	}
}

// checkStored compares tasks that a sweep has just read with memory. What
// differs may have changed since: compareStored decides.
func (m *machine) checkStored(now time.Time, stored []cluster.Task, sweep uint64) {
	for _, t := range stored {
		if e := m.tasks[t.ID]; e != nil {
			e.swept = sweep
			if !m.settled(e) {
				continue
			}
		}
		if m.glance(t.ID) != glanceOf(t, true) {
			m.suspect(now, subject{kind: StoreDiffers, ref: cluster.AttemptRef{TaskID: t.ID}})
		}
	}
}

// glance is what store and memory must agree about.
type glance struct {
	active  bool // in memory, or not terminal in the store
	moving  bool // not settled
	version int64
	state   cluster.State
	ref     cluster.AttemptRef
	worker  cluster.WorkerID
}

func (m *machine) glance(id cluster.TaskID) glance {
	e := m.tasks[id]
	if e == nil {
		return glance{}
	}
	g := glanceOf(e.task, true)
	g.moving = !m.settled(e)
	return g
}

// glanceOf is the store's side; found is false when it has no such task.
func glanceOf(t cluster.Task, found bool) glance {
	if !found || t.Terminal() {
		return glance{}
	}
	return glance{active: true, version: t.Version, state: t.State, ref: t.Ref(), worker: t.WorkerID}
}

// unsure are up to n things that only the store can tell about, those that were
// looked at longest ago first.
func (m *machine) unsure(n int) (out []subject) {
	for s, x := range m.mismatches.open {
		if s.kind == StoreDiffers || s.kind == RunsWithoutAttempt && !x.judged {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b subject) int {
		return cmp.Or(m.mismatches.open[a].last.Compare(m.mismatches.open[b].last), a.compare(b))
	})
	return out[:min(n, len(out))]
}

// compareStored takes what the store says of a subject's task. before is the
// task in memory when the reading began: when it has changed since, the
// comparison begins afresh.
func (m *machine) compareStored(now time.Time, s subject, before glance, t cluster.Task, found bool) (news newsOfCheck) {
	x := m.mismatches.open[s]
	if x == nil {
		return news
	}
	if s.kind == RunsWithoutAttempt {
		if x.judged = true; found {
			x.grace = t.Spec.GracePeriod
		}
		return news
	}
	after := m.glance(s.ref.TaskID)
	switch {
	case after.moving || before != after:
		x.since, x.last = now, now
	case after == glanceOf(t, found):
		m.agrees(s, &news)
	default:
		x.last = now
	}
	return news
}
