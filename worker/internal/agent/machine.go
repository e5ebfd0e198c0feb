package agent

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Params are a machine's fixed properties.
type Params struct {
	Seed uint64 // of the jitter
	// Interval is that of heartbeats until the master names another.
	Interval time.Duration
}

// Machine decides what happens to the attempts of one worker process. It is
// not safe for concurrent use. Every input returns what is to be done at once;
// Deadline tells when Tick wants to be called.
type Machine struct {
	rng      *rand.Rand
	attempts map[Ref]*attempt
	order    uint64
	alarms   alarms
	past     past
	link     link
	engine   engine
	orphans  orphans
	leaving  bool
	out      []Action
}

// NewMachine returns a machine without attempts. The first input is Found.
func NewMachine(p Params) *Machine {
	return &Machine{
		rng:      rand.New(rand.NewPCG(p.Seed, p.Seed)), //nolint:gosec // for pauses, from the simulation's seed
		attempts: make(map[Ref]*attempt),
		past:     newPast(),
		link:     link{interval: p.Interval, refused: newPast()},
		orphans:  newOrphans(),
	}
}

// take hands the collected actions out.
func (m *Machine) take() []Action {
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// start hands out the attempt's next work.
func (m *Machine) start(a *attempt, w Work) {
	a.busy = true
	m.do(w)
}

// finished returns the attempt whose work has come to an end. It is nil for
// one that is not known, which does not happen while each work is answered
// exactly once.
func (m *Machine) finished(ref Ref) *attempt {
	a := m.attempts[ref]
	if a == nil {
		return nil
	}
	a.busy, a.orders.interrupted = false, false
	return a
}

// sorted lists the attempts in the order of their acceptance.
func (m *Machine) sorted() []*attempt {
	all := make([]*attempt, 0, len(m.attempts))
	for _, a := range m.attempts {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *attempt) int {
		if x.order < y.order {
			return -1
		}
		return 1
	})
	return all
}

func (m *Machine) add(a *attempt) {
	m.order++
	a.order = m.order
	a.alarm.index = -1
	m.attempts[a.ref] = a
}

func (m *Machine) forget(a *attempt) {
	m.alarms.clear(a)
	delete(m.attempts, a.ref)
	m.past.add(a.ref)
	m.orphans.forgotten(a.ref)
	m.do(Forget{side{a.ref}})
}

// settle lets the attempt do all that it can do now, and sets its alarm for
// what it can do later. It ends every input that concerns an attempt.
func (m *Machine) settle(now time.Time, a *attempt) {
	m.obey(now, a)
	m.advance(now, a)
	if m.attempts[a.ref] != a {
		return
	}
	m.tell(now, a)
	m.measure(now, a)
	m.alarms.set(a, m.next(now, a))
}

func (m *Machine) settleAll(now time.Time) {
	for _, a := range m.sorted() {
		m.settle(now, a)
	}
}

// Tick lets everything happen that is due.
func (m *Machine) Tick(now time.Time) []Action {
	m.tickEngine(now)
	m.tickLink(now)
	for _, a := range m.alarms.due(now) {
		m.ring(now, a)
		m.settle(now, a)
	}
	return m.take()
}

// ring notes which of the attempt's deadlines have passed.
func (m *Machine) ring(now time.Time, a *attempt) {
	if a.box.running && reached(now, a.box.deadline) {
		a.box.overdue = true
	}
	if a.busy && a.phase == phasePull && reached(now, a.pull.giveUp) {
		a.pull.stalled = true
	}
}

// Deadline is when Tick is wanted; zero: not before another input.
func (m *Machine) Deadline() time.Time {
	return earliest(m.alarms.next(), m.engine.deadline(), m.link.deadline(m.leaving))
}

// Attempts is how many attempts the machine knows, and how many of them have a
// container that runs.
func (m *Machine) Attempts() (all, running int) {
	for _, a := range m.attempts {
		if a.box.running {
			running++
		}
	}
	return len(m.attempts), running
}

// backoff is how long to wait before the next of several tries: from 200 ms
// on, doubled up to 5 s, half of it by chance.
func (m *Machine) backoff(tries int) time.Duration {
	const least, most = 200 * time.Millisecond, 5 * time.Second
	d := most
	if tries < 5 {
		d = min(least<<tries, most)
	}
	return d/2 + time.Duration(m.rng.Int64N(int64(d/2)))
}

// again has the attempt's work repeated after a while.
func (m *Machine) again(now time.Time, a *attempt) {
	a.retry.at = now.Add(m.backoff(a.retry.tries))
	a.retry.tries++
}

// done says that the work has succeeded: the next step begins at once.
func (a *attempt) done() { a.retry = retry{} }

func reached(now, deadline time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// earliest ignores zero times.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// Knows reports whether the attempt is here.
func (m *Machine) Knows(ref Ref) bool { return m.attempts[ref] != nil }

// EngineUp reports whether the engine answered when it was asked last.
func (m *Machine) EngineUp() bool { return m.engine.up }

// EngineMessage says why the engine is not up.
func (m *Machine) EngineMessage() string { return m.engine.message }
