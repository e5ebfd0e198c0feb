package agent

import "time"

const (
	// newsDelay collects states, so that a task which is over in a moment costs
	// its result alone.
	newsDelay = 50 * time.Millisecond
	// bytesEvery is how often moving bytes are news.
	bytesEvery = time.Second
)

// moved notes how far a transfer is.
func (m *Machine) moved(now time.Time, a *attempt, done, total int64) {
	if done != a.news.bytes.done || total != a.news.bytes.total {
		a.news.bytes.done, a.news.bytes.total, a.news.bytes.fresh = done, total, true
	}
	m.settle(now, a)
}

// tellWhy reports in words why the attempt does not get on.
func (a *attempt) tellWhy(note string) {
	if note != a.news.note {
		a.news.note, a.news.bytes.fresh = note, true
	}
}

// tellAt is when the attempt's news go out; zero: there are none, or the
// answer to the last ones is awaited, or the result says it all.
func (m *Machine) tellAt(a *attempt) time.Time {
	n := &a.news
	over := a.phase == phaseHeld || a.phase >= phaseReport || a.orders.discard
	if over || n.report.busy || !m.link.joined {
		return time.Time{}
	}
	var at []time.Time
	if n.sent < len(n.states) {
		at = append(at, n.since.Add(newsDelay))
	}
	if n.bytes.fresh {
		at = append(at, n.bytes.at.Add(bytesEvery))
	}
	if n.used {
		at = append(at, a.box.sample.taken)
	}
	first := earliest(at...)
	if !first.IsZero() && first.Before(n.report.at) {
		return n.report.at
	}
	return first
}

// tell sends the news that are due.
func (m *Machine) tell(now time.Time, a *attempt) {
	if !reached(now, m.tellAt(a)) {
		return
	}
	n := &a.news
	p := Progress{
		Ref:        a.ref,
		States:     a.statesSoFar(),
		DoneBytes:  n.bytes.done,
		TotalBytes: n.bytes.total,
		Usage:      n.usage,
		Message:    n.note,
	}
	if a.state() >= StateCollectOutput {
		v := a.verdict()
		p.Outcome, p.Message = v.status, v.message
		if a.end.exit != nil {
			p.ExitCode = a.end.exit.ExitCode
		}
	}
	if n.bytes.fresh {
		n.bytes.at = now
	}
	n.bytes.fresh, n.used, n.report.busy = false, false, true
	m.do(ReportProgress{side: side{a.ref}, Progress: p})
}

// ProgressAnswered brings the answer to a progress report that carried so many
// states.
func (m *Machine) ProgressAnswered(now time.Time, ref Ref, states int, r Reply) []Action {
	a := m.attempts[ref]
	if a == nil {
		return nil
	}
	n := &a.news
	n.report.busy = false
	switch r.Code {
	case ReplyOK:
		n.sent, n.tries, n.report.at = max(n.sent, states), 0, time.Time{}
		n.since = now
	case ReplyGone:
		m.discard(now, a)
	case ReplyUnknownSession:
		m.lostSession(now)
		m.tellAgain(now, n)
	case ReplyRetry, ReplyDenied, ReplyClone, ReplyRefused, ReplyQuota:
		m.tellAgain(now, n)
	}
	if m.attempts[ref] == a {
		m.settle(now, a)
	}
	return m.take()
}

func (m *Machine) tellAgain(now time.Time, n *news) {
	n.report.at = now.Add(m.backoff(n.tries))
	n.tries++
}
