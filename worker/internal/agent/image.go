package agent

import (
	"errors"
	"fmt"
	"time"

	"cloudai/worker/internal/executor"
)

const (
	// pullTries within pullTotal are what a registry gets.
	pullTries = 3
	pullTotal = 30 * time.Second
	// pullSilence ends a try in which the registry has not said a word; three
	// of them and the pauses between fit into pullTotal.
	pullSilence = 8 * time.Second
	// pullStall ends a try in which nothing has moved any more. Unpacking a
	// large layer is silent, too.
	pullStall = 5 * time.Minute
)

// uses reports whether an attempt, of which its container may not have been made
// yet, is of an image for which that is true.
func (m *Machine) uses(is func(image string) bool) bool {
	for _, a := range m.attempts {
		if is(a.spec.Image) {
			return true
		}
	}
	return false
}

func (m *Machine) stepPull(now time.Time, a *attempt) {
	if a.orders.halt() {
		m.endEarly(now, a)
		return
	}
	if a.pull.since.IsZero() {
		a.pull.since = now
	}
	a.pull.tries++
	a.pull.stalled = false
	a.pull.giveUp = now.Add(pullSilence)
	m.start(a, Pull{work: work{a.ref}, Image: a.spec.Image})
}

// Pulling says that the image's pull is alive, and how far it is. Once a
// second is often enough.
func (m *Machine) Pulling(now time.Time, ref Ref, p executor.PullProgress) []Action {
	a := m.attempts[ref]
	if a == nil || a.phase != phasePull || !a.busy {
		return nil
	}
	a.pull.giveUp = now.Add(pullStall)
	m.brought(ref, p.DoneBytes)
	m.moved(now, a, p.DoneBytes, p.TotalBytes)
	return m.take()
}

// brought notes how many bytes have come for the image; after the last of them
// Pulled follows.
func (m *Machine) brought(ref Ref, bytes int64) {
	if a := m.attempts[ref]; a != nil {
		a.news.usage.PulledBytes = max(a.news.usage.PulledBytes, bytes)
	}
}

// Pulled brings the outcome of one try.
func (m *Machine) Pulled(now time.Time, ref Ref, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	switch {
	case err == nil:
		a.done()
		a.news.note = ""
		a.news.bytes.done, a.news.bytes.total = 0, 0 // nothing is on its way any more
		a.enter(StateImagePulled, now, now)
		a.phase = phaseCreate
	case a.orders.halt():
		// Interrupted; stepPull ends it.
	case errors.Is(err, executor.ErrEngine):
		a.pull.tries--
		m.engineFault(now, a, err)
	case errors.Is(err, executor.ErrImage):
		m.fail(now, a, FailureImage, err.Error())
	case a.pull.stalled || errors.Is(err, executor.ErrRegistry):
		m.retryPull(now, a, err)
	default:
		m.fail(now, a, FailureRuntime, err.Error())
	}
	m.settle(now, a)
	return m.take()
}

func (m *Machine) retryPull(now time.Time, a *attempt, err error) {
	message := err.Error()
	if a.pull.stalled {
		message = fmt.Sprintf("the registry of %s does not answer", a.spec.Image)
	}
	pause := time.Second<<(a.pull.tries-1)/2 + m.backoff(0)
	if a.pull.tries >= pullTries || now.Add(pause).Sub(a.pull.since) >= pullTotal {
		m.fail(now, a, FailureRegistry, fmt.Sprintf("%s (tried %d times in %s)",
			message, a.pull.tries, now.Sub(a.pull.since).Round(100*time.Millisecond)))
		return
	}
	a.retry.at = now.Add(pause)
	a.tellWhy(fmt.Sprintf("try %d of %d in a moment: %s", a.pull.tries+1, pullTries, message))
}
