// Package telemetry samples what of the host is in use. Nobody waits for it:
// a heartbeat carries the newest sample that there is.
package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"

	"cloudai/worker/internal/system"
)

// Usage is what of the host is in use.
type Usage struct {
	CPU     float64 // cores, mean since the sample before
	Memory  int64   // MiB
	Storage int64   // MiB of what is offered to tasks that the disks no longer have
	GPU     int     // devices that do something
}

const (
	sampleEvery = 2 * time.Second
	// Asking for GPUs starts a program.
	gpuEvery = 10 * time.Second
)

// Sampler keeps the newest sample.
type Sampler struct {
	disks   system.Disks
	offered int64 // MiB of them
	gpus    bool

	mu     sync.Mutex
	latest Usage

	// Of Run's goroutine alone.
	busy, all float64 // CPU seconds at the sample before
	gpuAt     time.Time
}

// NewSampler looks at disks of which so many MiB are offered to tasks, and at
// GPUs when there are any.
func NewSampler(disks system.Disks, offered int64, gpus bool) *Sampler {
	return &Sampler{disks: disks, offered: offered, gpus: gpus}
}

// Latest is the newest sample.
func (s *Sampler) Latest() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Run samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) error {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		s.sample(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sample replaces what can be measured; the rest stays as it was.
func (s *Sampler) sample(ctx context.Context) {
	u := s.Latest()
	if times, err := cpu.TimesWithContext(ctx, false); err == nil && len(times) == 1 {
		u.CPU = s.cores(times[0], u.CPU)
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		u.Memory = int64(m.Used >> 20)
	}
	if room, err := s.disks.Room(ctx); err == nil {
		u.Storage = max(0, s.offered-room)
	}
	if now := time.Now(); s.gpus && now.Sub(s.gpuAt) >= gpuEvery {
		s.gpuAt = now
		u.GPU = busyGPUs(system.GPUs(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = u
}

// cores is the mean use since the last call. The counters of all cores add up
// to the time that has passed times their number.
func (s *Sampler) cores(t cpu.TimesStat, before float64) float64 {
	idle := t.Idle + t.Iowait
	busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	all := busy + idle
	passed, used := all-s.all, busy-s.busy
	first := s.all == 0
	s.all, s.busy = all, busy
	count, err := cpu.Counts(true)
	if first || passed <= 0 || err != nil {
		return before
	}
	return max(0, used/passed) * float64(count)
}

func busyGPUs(gpus []system.GPU) int {
	n := 0
	for _, g := range gpus {
		if g.Use > 0 {
			n++
		}
	}
	return n
}
