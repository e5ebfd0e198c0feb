package agent

import (
	"slices"
	"time"
)

const (
	// probeEvery is how often the engine is asked for a sign of life.
	probeEvery = time.Second
	// absencesKept is how many of the engine's absences are remembered: an end is
	// looked at soon after the engine is back.
	absencesKept = 8
)

// engine is what is known of the engine's life.
type engine struct {
	up       bool
	message  string // why it is not
	low      string // the host's disk is nearly full: what it says about that
	probing  bool
	again    bool      // another probe is wanted after this one
	doubt    bool      // a fault was seen since this one began
	probeAt  time.Time // zero before the start
	began    uint64    // probes begun
	answered uint64    // number of the newest that was answered
	beganAt  time.Time
	lastOK   time.Time // when the newest answered probe began
	refused  bool      // in this absence it was down, not just slow
	absences []Absence
	past     int    // absences there have been, of which the newest are kept
	notes    uint64 // NoteEngines so far
	awaited  []Ref  // attempts that wait for a probe that began after their end
}

// absent keeps one more absence, of the newest.
func (e *engine) absent(a Absence) {
	e.past++
	e.absences = append(e.absences, a)
	e.absences = e.absences[max(0, len(e.absences)-absencesKept):]
}

// noteEngine has kept what is known of the engine, which is away since then, or
// there when that is zero.
func (m *Machine) noteEngine(downSince time.Time) {
	e := &m.engine
	e.notes++
	m.do(NoteEngine{N: e.notes, DownSince: downSince, Absences: slices.Clone(e.absences)})
}

// Absence is a time in which the engine was away, or in which the worker left
// with its tasks: containers were stopped by that unless they outlive the engine.
type Absence struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Outlived says that containers ran on meanwhile.
	Outlived bool `json:"outlived,omitempty"`
}

// covers reports whether the engine's clock may have shown that time meanwhile.
// One that was set back has shown all from the beginning on, and all to the end.
func (a Absence) covers(at time.Time) bool {
	since, until := !at.Before(a.From.Round(0)), !at.After(a.To.Round(0))
	if a.setBack() {
		return since || until
	}
	return since && until
}

func (a Absence) setBack() bool { return a.To.Round(0).Before(a.From.Round(0)) }

// between is the absence from one moment of this process to another. When the
// clock was set back meanwhile it began, by that clock, earlier than it showed.
func between(from, to time.Time) Absence {
	a := Absence{From: from, To: to}
	if by := to.Add(-to.Sub(from)); by.Round(0).Before(from.Round(0)) && !a.setBack() {
		a.From = by
	}
	return a
}

// after are the absences but for the first so many there have been.
func (e *engine) after(first int) []Absence {
	return e.absences[min(len(e.absences), max(0, first-e.past+len(e.absences))):]
}

// killed reports whether a container that ended then was ended by the engine. So
// many of its absences are known to be over before the container ran: times alone
// would not tell, as a clock that is set may show those of an absence again.
func (e *engine) killed(finished time.Time, spared int) bool {
	return slices.ContainsFunc(e.after(spared), func(a Absence) bool {
		return !a.Outlived && (finished.IsZero() || a.covers(finished))
	})
}

// awaySince reports whether the engine was away after that moment, or is now: an
// absence is noted when a probe is answered, and other calls may be before that.
// So many of its absences are known to be of before.
func (e *engine) awaySince(at time.Time, spared int) bool {
	return !at.IsZero() && (e.refused || slices.ContainsFunc(e.after(spared), func(a Absence) bool {
		return !a.To.Before(at) || a.setBack()
	}))
}

func (e *engine) deadline() time.Time {
	if e.probing {
		return time.Time{}
	}
	return e.probeAt
}

func (m *Machine) tickEngine(now time.Time) {
	if reached(now, m.engine.deadline()) {
		m.probe(now)
	}
}

func (m *Machine) probe(now time.Time) {
	e := &m.engine
	e.probing, e.again, e.doubt = true, false, false
	e.began++
	e.beganAt = now
	m.do(Probe{})
}

// awaitProbe has the attempt go on after a sign of life that is newer than
// everything seen so far.
func (m *Machine) awaitProbe(now time.Time, a *attempt) {
	if !slices.Contains(m.engine.awaited, a.ref) {
		m.engine.awaited = append(m.engine.awaited, a.ref)
	}
	switch {
	case m.engine.probing:
		m.engine.again = true
	case m.engine.up:
		m.probe(now)
	}
	// While the engine is down it is asked once a second, that will do.
}

// Alive is a probe's outcome.
type Alive struct {
	Err error // nil: the engine has answered
	// Outlived says that containers run on while the engine is away.
	Outlived bool
	// Low says in words that the disk is nearly full; empty: it is not.
	Low string
}

// Probed brings a probe's outcome.
func (m *Machine) Probed(now time.Time, p Alive) []Action {
	e := &m.engine
	e.probing = false
	e.probeAt = now.Add(probeEvery)
	m.diskLow(now, p.Low)
	if p.Err != nil {
		m.engineAway(now, p.Err)
		return m.take()
	}
	if e.doubt {
		// The answer may be older than the fault.
		m.probe(now)
		return m.take()
	}
	wasUp := e.up
	if e.refused {
		away := between(e.lastOK, now)
		away.Outlived = p.Outlived
		e.absent(away)
		m.noteEngine(time.Time{})
	}
	e.up, e.message, e.refused = true, "", false
	e.answered, e.lastOK = e.began, e.beganAt
	if !wasUp {
		m.beatSoon(now)
	}
	m.engineAnswered(now, wasUp)
	if e.again && !e.probing {
		m.probe(now)
	}
	return m.take()
}

// diskLow keeps new tasks away from a disk that is nearly full, and looks at
// once for the one that fills it.
func (m *Machine) diskLow(now time.Time, low string) {
	e := &m.engine
	changed := (low == "") != (e.low == "")
	e.low = low
	if !changed {
		return
	}
	m.beatSoon(now)
	if low == "" {
		return
	}
	for _, a := range m.sorted() {
		if a.box.running {
			a.box.sample.at = now
			m.settle(now, a)
		}
	}
}

// trouble is why the worker can take no task, in words, or "".
func (e *engine) trouble() string {
	if !e.up {
		return e.message
	}
	return e.low
}

// engineAnswered goes on with everything that waited for the engine.
func (m *Machine) engineAnswered(now time.Time, wasUp bool) {
	awaited := m.engine.awaited
	m.engine.awaited = nil
	if !wasUp {
		m.settleAll(now)
		return
	}
	for _, ref := range awaited {
		if a := m.attempts[ref]; a != nil && a.phase == phaseConfirm {
			m.settle(now, a)
		}
	}
}

// engineAway notes that the engine gives no sign of life.
func (m *Machine) engineAway(now time.Time, err error) {
	e := &m.engine
	if isEngine(err) && !e.refused {
		e.refused = true
		m.noteEngine(e.lastOK)
	}
	if e.up {
		m.beatSoon(now)
	}
	e.up, e.message = false, err.Error()
}

// engineDown notes that some call found the engine down, and has it asked at
// once whether it is back.
func (m *Machine) engineDown(now time.Time, err error) {
	m.engineAway(now, err)
	if m.engine.probing {
		m.engine.doubt = true
	} else {
		m.engine.probeAt = now
		m.tickEngine(now)
	}
}

// engineFault has the attempt's work repeated once the engine answers.
func (m *Machine) engineFault(now time.Time, a *attempt, err error) {
	m.engineDown(now, err)
	m.again(now, a)
	a.retry.engine = true
}
