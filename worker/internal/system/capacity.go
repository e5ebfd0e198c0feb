package system

import (
	"context"
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/mem"
)

// Capacity is what a worker has to give.
type Capacity struct {
	CPU     float64 // cores
	Memory  int64   // MiB
	Storage int64   // MiB
	GPU     int     // devices
}

// Chosen overrides what is found; nil: what is found counts.
type Chosen struct {
	CPU     *float64 // cores
	Memory  *int64   // MiB
	Storage *int64   // MiB
	GPU     *int     // devices
}

// Find is the lesser of what the host and the engine have, but for what was
// chosen; what the engine does not know is zero. Of storage there is what the
// disks have for tasks. A host without the means to list GPUs has none.
func Find(ctx context.Context, engine Capacity, storage int64, chosen Chosen) (Capacity, error) {
	host, err := ofHost(ctx)
	if err != nil {
		return Capacity{}, err
	}
	c := Capacity{
		CPU:     lesser(host.CPU, engine.CPU),
		Memory:  lesser(host.Memory, engine.Memory),
		Storage: storage,
		GPU:     max(host.GPU, engine.GPU),
	}
	if chosen.CPU != nil {
		c.CPU = *chosen.CPU
	}
	if chosen.Memory != nil {
		c.Memory = *chosen.Memory
	}
	if chosen.Storage != nil {
		c.Storage = *chosen.Storage
	}
	if chosen.GPU != nil {
		c.GPU = *chosen.GPU
	}
	return c, nil
}

// lesser ignores what is not known.
func lesser[T int64 | float64](host, engine T) T {
	if engine <= 0 {
		return host
	}
	if host <= 0 {
		return engine
	}
	return min(host, engine)
}

func ofHost(ctx context.Context) (Capacity, error) {
	cores, err := cpu.CountsWithContext(ctx, true)
	if err != nil || cores < 1 {
		cores = runtime.NumCPU()
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return Capacity{}, fmt.Errorf("ask for the host's memory: %w", err)
	}
	return Capacity{
		CPU:    float64(cores),
		Memory: int64(memory.Total >> 20),
		GPU:    len(GPUs(ctx)),
	}, nil
}
