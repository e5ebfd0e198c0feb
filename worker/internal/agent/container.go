package agent

import (
	"errors"
	"time"

	"cloudai/worker/internal/executor"
)

func (m *Machine) stepCreate(now time.Time, a *attempt) {
	if a.orders.halt() {
		m.endEarly(now, a)
		return
	}
	m.start(a, Create{work: work{a.ref}, Spec: a.spec})
}

// Created brings the container, or why there is none.
func (m *Machine) Created(now time.Time, ref Ref, c executor.Container, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	switch {
	case err == nil:
		a.done()
		a.box.id = c.ID
		a.enter(StateContainerCreated, now, now)
		a.phase = phaseRun
	case errors.Is(err, executor.ErrEngine):
		// It may be there all the same: creating is idempotent.
		m.engineFault(now, a, err)
	case errors.Is(err, executor.ErrImage):
		m.fail(now, a, FailureImage, err.Error())
	case errors.Is(err, executor.ErrSpec):
		a.end.hopeless = true
		m.fail(now, a, FailureRuntime, err.Error())
	default:
		m.fail(now, a, FailureRuntime, err.Error())
	}
	m.settle(now, a)
	return m.take()
}

func (m *Machine) stepRun(now time.Time, a *attempt) {
	switch {
	case !a.box.ran && a.box.doubt:
		a.box.forgotten = m.engine.awaySince(a.box.toldAt, a.box.spared)
		m.start(a, LookAt{work: work{a.ref}, ID: a.box.id, Forgotten: a.box.forgotten})
		return
	case a.orders.halt() && !a.box.ran:
		m.endEarly(now, a)
		return
	case a.end.failure != "" && !a.box.ran: // found so
		m.toReport(now, a)
		return
	}
	if !a.box.ran {
		if a.box.retold = !a.box.toldAt.IsZero(); !a.box.retold {
			a.box.toldAt, a.box.spared = now, m.engine.past
		}
	}
	m.start(a, RunContainer{work: work{a.ref}, ID: a.box.id})
}

// LookedAt tells what has become of a start that the engine has not answered.
// One that nobody wants any more is not started for that, and one that has run
// has left a log and output. What the engine calls not started is to be believed
// only while it is the engine that was told to: one that was killed forgets a
// container which it had started a moment before, and which may have run.
func (m *Machine) LookedAt(now time.Time, ref Ref, c executor.Container, log executor.Offsets, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	a.end.log = log
	switch {
	case err == nil:
		a.done()
		// The engine may have gone down and come back since the look was decided.
		a.box.doubt = c.Phase == executor.PhaseCreated && !a.box.forgotten && m.engine.awaySince(a.box.toldAt, a.box.spared)
		switch {
		case a.box.doubt: // it is looked at once more, as at a forgotten one
		case c.Phase != executor.PhaseCreated:
			m.started(now, a, c.StartedAt)
		case a.box.forgotten:
			a.box.ran = true // for all we know
			m.fail(now, a, FailureRuntime, "the engine went down while it was starting the container; whether that has run is not known")
		}
	case errors.Is(err, executor.ErrEngine):
		m.engineFault(now, a, err)
	case errors.Is(err, executor.ErrNotFound):
		m.fail(now, a, FailureRuntime, "the container is gone: somebody or the engine has removed it")
	default:
		m.again(now, a)
	}
	m.settle(now, a)
	return m.take()
}

// Started says that the container runs, or has run: at is the engine's time.
func (m *Machine) Started(now time.Time, ref Ref, at time.Time) []Action {
	a := m.attempts[ref]
	if a == nil || a.phase != phaseRun {
		return nil
	}
	m.started(now, a, at)
	m.settle(now, a)
	return m.take()
}

// started begins to watch the container. The timeout of one that was found
// counts from its start, that of a new one from the moment we learn of it, so
// that a clock which jumps later does not matter.
func (m *Machine) started(now time.Time, a *attempt, at time.Time) {
	if a.spec.Timeout > 0 && a.box.deadline.IsZero() {
		left := a.spec.Timeout
		if !at.IsZero() {
			left = min(left, max(0, left-now.Sub(at)+slack))
		}
		a.box.deadline = now.Add(left)
	}
	if !a.box.ran {
		a.box.sample.at, a.box.sample.pause = now.Add(sampleFirst), sampleFirst
	}
	a.box.running, a.box.ran = true, true
	a.box.startedAt = at
	a.enter(StateRunning, startTime(at, now), now)
}

// runTries is how often following a container that runs may fail.
const runTries = 5

// slack makes sure that a container which is stopped at its deadline has run
// for its whole timeout by the engine's clock.
const slack = 10 * time.Millisecond

func startTime(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

// Exited brings the ended container and the lengths of its log, or why it
// could not be seen to its end.
func (m *Machine) Exited(now time.Time, ref Ref, c executor.Container, log executor.Offsets, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	a.end.log = log
	switch {
	case err == nil:
		a.done()
		if !c.StartedAt.IsZero() {
			m.started(now, a, c.StartedAt)
		}
		a.box.running = false
		a.end.exit = &c
		if a.orders.leave {
			// Perhaps it ended by itself, but a program that was told to stop
			// can end with 0 just as well.
			a.end.failure, a.end.message = FailureRuntime, leaveMessage
		}
		a.box.confirmAfter = m.engine.began
		a.phase = phaseConfirm
	case errors.Is(err, executor.ErrEngine):
		if errors.Is(err, executor.ErrNotTold) && !a.box.retold {
			a.box.toldAt = time.Time{}
		}
		a.box.doubt = !a.box.ran && !a.box.toldAt.IsZero()
		m.engineFault(now, a, err)
	case errors.Is(err, executor.ErrNotFound):
		a.box.running = false
		m.fail(now, a, FailureRuntime, "the container is gone: somebody or the engine has removed it")
	case errors.Is(err, executor.ErrSpec):
		a.box.running, a.end.hopeless = false, true
		m.fail(now, a, FailureRuntime, err.Error())
	case a.box.running && a.retry.tries < runTries:
		// It runs, but its log could not be read.
		m.again(now, a)
	default:
		// The engine refused the start.
		m.fail(now, a, FailureRuntime, err.Error())
	}
	m.settle(now, a)
	return m.take()
}

// Stopped brings the outcome of StopContainer; the end itself comes by Exited.
func (m *Machine) Stopped(now time.Time, ref Ref, err error) []Action {
	a := m.attempts[ref]
	if a == nil {
		return nil
	}
	switch {
	case err == nil:
		// Should the container run on all the same it is stopped again.
		a.box.stop.at = now.Add(stopAgain)
	case errors.Is(err, executor.ErrEngine):
		a.box.stop.at = now.Add(time.Second)
		m.engineDown(now, err)
	case errors.Is(err, executor.ErrNotFound):
		a.box.running = false
	default:
		a.box.stop.at = now.Add(time.Second)
	}
	a.box.stop.busy = false
	m.settle(now, a)
	return m.take()
}

// stopAgain is how long a container may take to be seen as ended after the
// engine has said so.
const stopAgain = 10 * time.Second

// stepConfirm waits until the engine has answered a probe that began after the
// end was seen. A container that ended because its engine went down would
// otherwise pass for one that ended by itself.
func (m *Machine) stepConfirm(now time.Time, a *attempt) {
	if m.engine.answered <= a.box.confirmAfter || !m.engine.up {
		m.awaitProbe(now, a)
		return
	}
	if a.end.failure == "" && (a.end.exit.EndUnknown() || m.engine.killed(a.end.exit.FinishedAt, a.box.spared)) {
		a.end.failure = FailureRuntime
		a.end.message = "the container ended while the engine was down, or was stopped with its worker"
	}
	m.toCollect(now, a)
}

// endEarly ends an attempt whose container has not run.
func (m *Machine) endEarly(now time.Time, a *attempt) {
	a.done()
	if a.orders.leave {
		a.end.failure, a.end.message = FailureRuntime, leaveMessage
	}
	m.toReport(now, a)
}

const leaveMessage = "the worker was shut down with its tasks"

// fail ends an attempt for another reason than its exit code. What a container
// has left is delivered all the same.
func (m *Machine) fail(now time.Time, a *attempt, f Failure, message string) {
	a.done()
	a.end.failure, a.end.message = f, message
	if !a.box.ran {
		m.toReport(now, a)
		return
	}
	m.toCollect(now, a)
}

func (m *Machine) stepRemove(a *attempt) {
	grace := time.Duration(0)
	if a.box.running {
		grace = a.spec.Grace
	}
	m.start(a, Remove{work: work{a.ref}, ID: a.box.id, Grace: grace})
}

func (m *Machine) remove(a *attempt) {
	a.done()
	a.phase = phaseRemove
}

// Removed ends the attempt when container and output folder are gone.
func (m *Machine) Removed(now time.Time, ref Ref, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	switch {
	case err == nil:
		m.forget(a)
		return m.take()
	case errors.Is(err, executor.ErrEngine):
		m.engineFault(now, a, err)
	default:
		m.again(now, a)
	}
	m.settle(now, a)
	return m.take()
}
