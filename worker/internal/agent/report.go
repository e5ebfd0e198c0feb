package agent

import (
	"time"

	"cloudai/worker/internal/executor"
)

// toReport begins the last step: the master gets the result. An attempt whose
// container never ran skips the states in between.
func (m *Machine) toReport(now time.Time, a *attempt) {
	if a.box.ran {
		a.enter(StateReportResult, now, now)
	}
	a.phase = phaseReport
	m.do(EndLog{side{a.ref}})
}

// stepReport sends the result. Once it has been composed it stays the same:
// the master may have recorded it although its answer was lost.
func (m *Machine) stepReport(a *attempt) {
	if a.end.result == nil {
		r := a.compose()
		a.end.result = &r
	}
	r := *a.end.result
	r.LogLost = a.end.missing.lost
	m.start(a, ReportCompletion{work: work{a.ref}, Result: r})
}

func (a *attempt) compose() Result {
	v := a.verdict()
	r := Result{
		Ref:     a.ref,
		Status:  v.status,
		Failure: v.failure,
		Message: v.message,
		States:  a.statesSoFar(),
		Files:   a.end.output.Files,
		Skipped: a.end.output.Skipped,
		Usage:   a.news.usage,
		Log:     a.end.log,

		Hopeless: a.end.hopeless,
	}
	r.Usage.LogBytes = a.end.log.Stdout + a.end.log.Stderr
	r.Usage.OutputBytes = a.end.output.Size
	r.Usage.CPU, r.Usage.Memory, r.Usage.MemoryPeak = 0, 0, a.peak()
	if c := a.end.exit; c != nil {
		r.HasExit, r.ExitCode = true, c.ExitCode
		r.StartedAt, r.FinishedAt = c.StartedAt, c.FinishedAt
	}
	return r
}

// ReportReply is the master's answer to a result.
type ReportReply struct {
	Reply
	NeedLog *executor.Offsets // with ReplyOK: the log is missing from here on
}

// logTries is how often the master may ask for the same piece of the log
// before it counts as lost.
const logTries = 3

// Reported brings the answer to a completion report.
func (m *Machine) Reported(now time.Time, ref Ref, r ReportReply) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	switch r.Code {
	case ReplyOK:
		a.done()
		m.recorded(now, a, r.NeedLog)
	case ReplyGone:
		a.orders.discard = true
	case ReplyUnknownSession:
		m.lostSession(now)
		m.again(now, a)
	case ReplyRetry, ReplyDenied, ReplyClone, ReplyRefused, ReplyQuota:
		m.again(now, a)
	}
	m.settle(now, a)
	return m.take()
}

func (m *Machine) recorded(now time.Time, a *attempt, need *executor.Offsets) {
	if need == nil {
		a.end.acked = true
		m.remove(a)
		return
	}
	if *need != a.end.missing.from {
		a.end.missing.from, a.end.missing.asked = *need, 0
	}
	a.end.missing.asked++
	if a.end.missing.asked <= logTries && !a.end.missing.lost {
		a.phase = phasePushLog
		return
	}
	a.end.missing.lost = true
	m.again(now, a)
}

// LogPushed brings the outcome of sending the log: the master's answer, or why
// the log could not be read here.
func (m *Machine) LogPushed(now time.Time, ref Ref, r Reply, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	a.phase = phaseReport
	if isEngine(err) || err == nil && r.Code != ReplyOK {
		a.end.missing.asked-- // the master has not had it, and asks again
	}
	switch {
	case isEngine(err):
		m.engineFault(now, a, err)
	case err != nil:
		a.end.missing.lost = true
	case r.Code == ReplyOK:
		a.done()
	case r.Code == ReplyGone:
		a.orders.discard = true
	case r.Code == ReplyUnknownSession:
		m.lostSession(now)
		m.again(now, a)
	default:
		m.again(now, a)
	}
	m.settle(now, a)
	return m.take()
}
