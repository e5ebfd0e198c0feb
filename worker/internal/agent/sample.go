package agent

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"time"
)

const (
	sampleTimeout = 10 * time.Second
	// walkEvery is how often an output folder is walked although nothing seems
	// to have been written: sparse files take no room.
	walkEvery = 30 * time.Second
)

// diskUse is what is known of an output folder's size.
type diskUse struct {
	size    int64 // bytes
	entries int
	at      time.Time
	fs      fsUse // of the whole file system at that time
}

// fsUse is what is taken of a file system.
type fsUse struct{ bytes, inodes uint64 }

func (u fsUse) grown(since fsUse) bool { return u.bytes > since.bytes || u.inodes > since.inodes }

func (a *Agent) sample(ctx context.Context, x Sample) feedback {
	defer enter(ctx, a.limits.samples)()
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	usage, err := a.cfg.Executor.Usage(ctx, x.ID)
	disk := a.outputUse(ctx, x.Ref, x.Dir)
	return func(m *Machine, now time.Time) []Action {
		m.counted(x.Ref, disk.entries)
		return m.Sampled(now, x.Ref, usage, disk.size, err)
	}
}

// outputUse walks the folder only when its file system has grown since the
// last walk, which a single call tells.
func (a *Agent) outputUse(ctx context.Context, ref Ref, dir string) diskUse {
	var last diskUse
	a.mu.Lock()
	if h := a.attempts[ref]; h != nil {
		last = h.disk
	}
	a.mu.Unlock()
	used, known := fsUsed(dir)
	if known && !last.at.IsZero() && !used.grown(last.fs) && time.Since(last.at) < walkEvery {
		return last
	}
	size, entries, err := DirSize(ctx, dir)
	if err != nil {
		return last
	}
	now := diskUse{size: size, entries: entries, at: time.Now(), fs: used}
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.attempts[ref]; h != nil {
		h.disk = now
	}
	return now
}

// Reserve is what is kept free of a disk of so many bytes: what was chosen, in
// MiB, or 2 % of it and at most 1 GiB.
func Reserve(chosen *int64, total int64) int64 {
	if chosen != nil {
		return *chosen << 20
	}
	return min(total/50, 1<<30)
}

// diskLow says that less than the reserve is free on the disk with the output
// folders, or "".
func diskLow(dir string, reserve *int64) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return ""
	}
	size := uint64(s.Bsize) //nolint:gosec // positive
	free, keep := bytesOf(s.Bavail, size), Reserve(reserve, bytesOf(s.Blocks, size))
	if free >= keep {
		return ""
	}
	return fmt.Sprintf("the worker's disk is nearly full: %d MiB free, %d MiB are its reserve", free>>20, keep>>20)
}

// bytesOf is what so many blocks hold. File systems without an end of their own
// name more of them than a number of bytes can say.
func bytesOf(blocks, size uint64) int64 {
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size) //nolint:gosec // looked at above
}

func fsUsed(dir string) (fsUse, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fsUse{}, false
	}
	return fsUse{bytes: (s.Blocks - s.Bfree) * uint64(s.Bsize), inodes: s.Files - s.Ffree}, true //nolint:gosec // the size of a block is positive
}
