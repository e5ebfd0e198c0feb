package agent

import (
	"errors"
	"time"

	"cloudai/worker/internal/executor"
)

// sampleEvery is how often a running container is measured.
const sampleEvery = 5 * time.Second

// measure samples the container when it is time.
func (m *Machine) measure(now time.Time, a *attempt) {
	if a.phase != phaseRun || !a.box.running || a.box.sample.busy || !reached(now, a.box.sample.at) {
		return
	}
	a.box.sample.busy = true
	a.box.sample.at = now.Add(sampleEvery)
	m.do(Sample{side: side{a.ref}, ID: a.box.id, Dir: a.spec.OutputDir})
}

// Sampled brings a sample. A failed one is no news but for the engine's state.
func (m *Machine) Sampled(now time.Time, ref Ref, u executor.Usage, output int64, err error) []Action {
	a := m.attempts[ref]
	if a == nil {
		return nil
	}
	a.box.sample.busy = false
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
		a.news.take(u)
	}
	m.settle(now, a)
	return m.take()
}

func (n *news) take(u executor.Usage) {
	used := u.CPUSeconds - n.usage.CPUSeconds
	n.usage.CPUSeconds = max(u.CPUSeconds, n.usage.CPUSeconds)
	n.usage.CPU = max(0, used/sampleEvery.Seconds())
	n.usage.Memory = u.Memory
	n.usage.MemoryPeak = max(n.usage.MemoryPeak, u.MemoryPeak, u.Memory)
	n.used = true
}

func isEngine(err error) bool { return errors.Is(err, executor.ErrEngine) }
