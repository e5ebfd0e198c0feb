package system

import (
	"context"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/shirou/gopsutil/v3/disk"
)

// maxMiB is more than a disk has; file systems without an end of their own say
// so and more, which no master believes.
const maxMiB = 1 << 40

// Disks are what tasks fill.
type Disks struct {
	Output  string                  // where their output folders are
	Engine  string                  // where its images and containers are; empty: not on this host
	Reserve func(total int64) int64 // bytes that are kept free of a disk of so many
}

// Room is how many MiB tasks can still take: the least of what is free beyond
// the reserve on each disk.
func (d Disks) Room(ctx context.Context) (int64, error) { return d.Offer(ctx, 0) }

// Offer is the room that there would be without the output folders, which hold
// so many bytes.
func (d Disks) Offer(ctx context.Context, held int64) (int64, error) {
	room, err := d.free(ctx, d.Output, held)
	if err != nil || d.Engine == "" {
		return room, err
	}
	if !sameDisk(d.Output, d.Engine) {
		held = 0
	}
	engine, err := d.free(ctx, d.Engine, held)
	return min(room, engine), err
}

func (d Disks) free(ctx context.Context, dir string, more int64) (mib int64, err error) {
	space, err := disk.UsageWithContext(ctx, dir)
	if err != nil {
		return 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	free, total := int64(min(space.Free, math.MaxInt64)), int64(min(space.Total, math.MaxInt64))
	return min(max(0, free>>20-d.Reserve(total)>>20+more>>20), maxMiB), nil
}

func sameDisk(a, b string) bool {
	device := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(s.Dev), true //nolint:unconvert // of another type on macOS
	}
	one, known := device(a)
	other, both := device(b)
	return known && both && one == other
}
