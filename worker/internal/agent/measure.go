package agent

import (
	"errors"
	"time"

	"cloudai/worker/internal/executor"
)

// A running container is measured soon after its start, then less and less
// often, so that short tasks too say what they used.
const (
	sampleFirst = 500 * time.Millisecond
	sampleEvery = 5 * time.Second
)

// measure samples the container when it is time.
func (m *Machine) measure(now time.Time, a *attempt) {
	if a.phase != phaseRun || !a.box.running || a.box.sample.busy || !reached(now, a.box.sample.at) {
		return
	}
	a.box.sample.busy = true
	a.box.sample.at = now.Add(a.box.sample.pause)
	a.box.sample.pause = min(2*a.box.sample.pause, sampleEvery)
	m.do(Sample{side: side{a.ref}, ID: a.box.id, Dir: a.spec.OutputDir})
}

// Sampled brings a sample. A failed one is no news but for the engine's state.
func (m *Machine) Sampled(now time.Time, ref Ref, u executor.Usage, output int64, err error) []Action {
	a := m.attempts[ref]
	if a == nil {
		return nil
	}
	since := now.Sub(later(a.box.sample.taken, a.box.startedAt))
	a.box.sample.busy, a.box.sample.taken = false, now
	if output > 0 {
		a.news.usage.OutputBytes = output
	}
	if limit := a.spec.Storage << 20; limit > 0 && output > limit {
		a.box.full = true
	}
	switch {
	case isEngine(err):
		m.engineDown(now, err)
	case err == nil && u.CPUSeconds > 0:
		a.news.take(u, since)
	}
	m.settle(now, a)
	return m.take()
}

// counted brings the number of entries of the output folder; Sampled follows.
// Empty files take no bytes, but a disk has only so many of them for all tasks.
func (m *Machine) counted(ref Ref, entries int) {
	if a := m.attempts[ref]; a != nil && entries > maxEntries {
		a.box.full, a.box.crowded = true, true
	}
}

// take notes a sample that came so long after the one before.
func (n *news) take(u executor.Usage, since time.Duration) {
	used := u.CPUSeconds - n.usage.CPUSeconds
	n.usage.CPUSeconds = max(u.CPUSeconds, n.usage.CPUSeconds)
	if since > 0 {
		n.usage.CPU = max(0, used/since.Seconds())
	}
	n.usage.Memory = u.Memory
	n.usage.MemoryPeak = max(n.usage.MemoryPeak, u.MemoryPeak, u.Memory)
	n.used = true
}

func isEngine(err error) bool { return errors.Is(err, executor.ErrEngine) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
