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
	if done != a.news.doneBytes || total != a.news.totalBytes {
		a.news.doneBytes, a.news.totalBytes, a.news.bytes = done, total, true
	}
	m.settle(now, a)
}

// tellWhy reports in words why the attempt does not get on.
func (a *attempt) tellWhy(note string) {
	if note != a.news.note {
		a.news.note, a.news.bytes = note, true
	}
}

// tellAt is when the attempt's news go out; zero: there are none, or the
// answer to the last ones is awaited, or the result says it all.
func (m *Machine) tellAt(a *attempt) time.Time {
	n := &a.news
	over := a.phase == phaseHeld || a.phase >= phaseReport || a.orders.discard
	if over || n.sending || !m.link.joined {
		return time.Time{}
	}
	var at []time.Time
	if n.sent < len(n.states) {
		at = append(at, n.since.Add(newsDelay))
	}
	if n.bytes {
		at = append(at, n.bytesAt.Add(bytesEvery))
	}
	if n.used {
		at = append(at, a.box.sampleAt.Add(-sampleEvery))
	}
	first := earliest(at...)
	if !first.IsZero() && first.Before(n.retryAt) {
		return n.retryAt
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
		DoneBytes:  n.doneBytes,
		TotalBytes: n.totalBytes,
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
	if n.bytes {
		n.bytesAt = now
	}
	n.bytes, n.used, n.sending = false, false, true
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
	n.sending = false
	switch r.Code {
	case ReplyOK:
		n.sent, n.tries, n.retryAt = max(n.sent, states), 0, time.Time{}
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
	n.retryAt = now.Add(m.backoff(n.tries))
	n.tries++
}
