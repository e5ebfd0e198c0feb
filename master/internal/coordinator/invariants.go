package coordinator

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
)

// Invariant names a thing that must be true between store, memory and what the
// workers say.
type Invariant string

// The invariants, by what it is called when they do not hold.
const (
	// PlacedWithoutPlace: a placed attempt has no worker that keeps its place.
	PlacedWithoutPlace Invariant = "attempt_without_reservation"
	// PlaceWithoutAttempt: a worker's place is kept for an attempt that is not there.
	PlaceWithoutAttempt Invariant = "reservation_without_attempt"
	// NotRunning: a worker that answers does not show an attempt placed on it.
	NotRunning Invariant = "attempt_not_running"
	// RunsWithoutAttempt: a worker shows an attempt that is none of its.
	RunsWithoutAttempt Invariant = "running_without_attempt"
	// WaitsOutsideQueue: a waiting task is not in the queue.
	WaitsOutsideQueue Invariant = "waiting_not_queued"
	// QueuedNotWaiting: the queue holds a task that does not wait.
	QueuedNotWaiting Invariant = "queued_not_waiting"
	// StoreDiffers: store and memory say different things of a task.
	StoreDiffers Invariant = "store_differs"
)

// AllInvariants lists them.
var AllInvariants = []Invariant{
	PlacedWithoutPlace, PlaceWithoutAttempt, NotRunning, RunsWithoutAttempt, WaitsOutsideQueue, QueuedNotWaiting, StoreDiffers,
}

// InWords says what is wrong, without naming anything.
func (i Invariant) InWords() string {
	switch i {
	case PlacedWithoutPlace:
		return "a placed attempt has no worker that keeps its place"
	case PlaceWithoutAttempt:
		return "a worker keeps a place for an attempt that is not there"
	case NotRunning:
		return "a worker that answers does not show an attempt that is placed on it"
	case RunsWithoutAttempt:
		return "a worker still shows an attempt that is over or was never its own"
	case WaitsOutsideQueue:
		return "a waiting task is not in the queue"
	case QueuedNotWaiting:
		return "the queue holds a task that does not wait"
	case StoreDiffers:
		return "the store and the master's memory say different things of a task"
	}
	return string(i)
}

// byWorker reports whether a worker's heartbeats are the evidence.
func (i Invariant) byWorker() bool { return i == NotRunning || i == RunsWithoutAttempt }

// subject is what an invariant does not hold for.
type subject struct {
	kind   Invariant
	ref    cluster.AttemptRef // only the task's id where no attempt is meant
	worker cluster.WorkerID
}

func (s subject) compare(o subject) int {
	return cmp.Or(
		strings.Compare(string(s.kind), string(o.kind)), strings.Compare(string(s.ref.TaskID), string(o.ref.TaskID)),
		cmp.Compare(s.ref.Attempt, o.ref.Attempt), strings.Compare(s.ref.Lease, o.ref.Lease), strings.Compare(string(s.worker), string(o.worker)),
	)
}

// mismatch is what is known of a subject. Most are under way and gone at the
// next look; one that stays for the heartbeat timeout is a violation.
type mismatch struct {
	since  time.Time     // of the first evidence
	last   time.Time     // of the last; a silent worker and a store that does not answer give none
	grace  time.Duration // that a container may take to end, beside the timeout
	judged bool          // grace is known
	broken bool          // it was there for too long: said in the log
}

func (x *mismatch) age() time.Duration { return x.last.Sub(x.since) }

// mismatches is the machine's memory of what does not agree at the moment.
type mismatches struct {
	open   map[subject]*mismatch
	beyond int       // that there was no room for since the last review
	last   time.Time // review
	sweep  uint64    // number of the last comparison with the store that began
	swept  time.Time // when the last one that is complete began; zero: none
}

// openMost bounds open; what there is no room for is only counted, and looked
// at again when there is.
const openMost = 10_000

// suspect notes that an invariant does not seem to hold.
func (m *machine) suspect(now time.Time, s subject) {
	if m.mismatches.open[s] != nil {
		return
	}
	if len(m.mismatches.open) >= openMost {
		m.mismatches.beyond++
		return
	}
	x := &mismatch{since: now, last: now}
	if s.kind.byWorker() {
		x.since = m.workers[s.worker].heard
		x.last = x.since
	}
	m.mismatches.open[s] = x
}

// review looks at everything that did not agree once more and forgets what
// does by now. It gives what is to be said of it. It wants to be called at
// least once per heartbeat interval: when it was not, the master has slept,
// and everything gets a fresh time.
func (m *machine) review(now time.Time) (report InvariantReport, news newsOfCheck) {
	a := &m.mismatches
	slept := !a.last.IsZero() && now.Sub(a.last) > m.HeartbeatInterval+lateness
	a.last = now
	for s, x := range a.open {
		if slept {
			x.since, x.last = later(x.since, now), later(x.last, now)
		}
		if s.kind != StoreDiffers { // for those only a look into the store counts
			if !m.differs(s) {
				m.agrees(s, &news)
				continue
			}
			at := now
			if s.kind.byWorker() {
				at = m.workers[s.worker].heard
			}
			x.last = later(x.last, at)
		}
		if !x.broken && x.age() > m.HeartbeatTimeout+x.grace {
			x.broken = true
			news.broken = append(news.broken, m.finding(s, x))
		}
	}
	report = InvariantReport{CheckedAt: now, SweptAt: a.swept, Pending: a.beyond}
	a.beyond = 0
	for s, x := range a.open {
		report.add(m.finding(s, x))
	}
	report.sort()
	slices.SortFunc(news.broken, Mismatch.compare)
	slices.SortFunc(news.mended, Mismatch.compare)
	return report, news
}

// newsOfCheck is what the log says of a review, once each.
type newsOfCheck struct{ broken, mended []Mismatch }

// agrees forgets a subject.
func (m *machine) agrees(s subject, news *newsOfCheck) {
	if x := m.mismatches.open[s]; x.broken {
		news.mended = append(news.mended, m.finding(s, x))
	}
	delete(m.mismatches.open, s)
}

func (m *machine) finding(s subject, x *mismatch) Mismatch {
	f := Mismatch{
		Invariant: s.kind, TaskID: s.ref.TaskID, Attempt: s.ref.Attempt, WorkerID: s.worker,
		Violation: x.broken, Age: max(0, x.age()), subject: s,
	}
	return f
}

// differs looks at a subject of memory or of a worker's heartbeats again.
func (m *machine) differs(s subject) bool {
	e, w := m.tasks[s.ref.TaskID], m.workers[s.worker]
	switch s.kind {
	case PlacedWithoutPlace:
		return e != nil && e.task.Ref() == s.ref && m.placeless(e)
	case PlaceWithoutAttempt:
		return w != nil && m.placeOfNobody(w, s.ref.TaskID)
	case NotRunning:
		return e != nil && w != nil && e.live(s.ref) && m.notRunning(e, w)
	case RunsWithoutAttempt:
		return w != nil && m.runsForNobody(w, s.ref)
	case WaitsOutsideQueue:
		return e != nil && m.unqueued(e)
	case QueuedNotWaiting:
		return m.queue.Has(string(s.ref.TaskID)) && m.doesNotWait(s.ref.TaskID)
	case StoreDiffers:
	}
	return false
}

// settled reports whether the task is what the disk says: no write of it is
// under way, and none that the store has refused is to be tried again.
func (m *machine) settled(e *task) bool { return e.pending == nil && m.stuck[e.task.ID] == nil }

// placeless: a placed attempt whose worker is not there, or keeps no place or
// another one for it.
func (m *machine) placeless(e *task) bool {
	if !m.settled(e) || !e.task.State.Placed() {
		return false
	}
	w := m.workers[e.task.WorkerID]
	if w == nil || w.gone() {
		return true
	}
	place, ok := w.attempts[e.task.ID]
	return !ok || place != e.task.Spec.Resources
}

// placeOfNobody: the worker keeps a place for what is not placed there.
func (m *machine) placeOfNobody(w *worker, id cluster.TaskID) bool {
	if _, ok := w.attempts[id]; !ok {
		return false
	}
	e := m.tasks[id]
	return e == nil || m.settled(e) && !(e.task.State.Placed() && e.task.WorkerID == w.worker.ID)
}

// speaks reports whether the worker's last heartbeat says what there is: not
// while its engine does not answer, nor from one that has taken its leave.
func (w *worker) speaks() bool {
	return w.shown != nil && w.healthy && !w.worker.Lost && w.worker.LeftUntil.IsZero() && !w.removed()
}

// notRunning: the worker does not show what is placed on it. While the
// assignment is on its way that means nothing.
func (m *machine) notRunning(e *task, w *worker) bool {
	if !w.speaks() || !m.settled(e) || e.sent || e.task.WorkerID != w.worker.ID {
		return false
	}
	_, shown := w.shown[e.task.Ref()]
	return !shown
}

// runsForNobody: the worker shows an attempt that is not a live one of its own.
func (m *machine) runsForNobody(w *worker, ref cluster.AttemptRef) bool {
	if _, shown := w.shown[ref]; !shown || !w.speaks() {
		return false
	}
	if e := m.tasks[ref.TaskID]; e != nil && (!m.settled(e) || e.live(ref) && e.task.WorkerID == w.worker.ID) {
		return false
	}
	return true
}

func (m *machine) unqueued(e *task) bool {
	return m.settled(e) && e.task.State.Waiting() && !m.queue.Has(string(e.task.ID))
}

func (m *machine) doesNotWait(id cluster.TaskID) bool {
	e := m.tasks[id]
	return e == nil || m.settled(e) && !e.task.State.Waiting()
}
