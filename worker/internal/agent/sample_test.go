package agent

import (
	"crypto/rand"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cloudai/worker/internal/executor"
)

// A disk without an end is large, not full.
func TestBytesOf(t *testing.T) {
	for _, c := range []struct {
		blocks, size uint64
		want         int64
	}{
		{0, 4096, 0},
		{10, 4096, 40960},
		{10, 0, 0},
		{math.MaxUint64, 4096, math.MaxInt64},
		{1 << 51, 4096, math.MaxInt64},
		{1<<51 - 1, 4096, math.MaxInt64 - 4095},
	} {
		if got := bytesOf(c.blocks, c.size); got != c.want {
			t.Errorf("%d blocks of %d: %d, want %d", c.blocks, c.size, got, c.want)
		}
	}
}

// What is on offer less what is used is what there is, whoever has taken it.
func TestStorageUsed(t *testing.T) {
	for _, c := range []struct {
		offered, lacking, stored, want int64 // MiB
	}{
		{100, 0, 0, 0},
		{100, 30, 30, 30},   // what tasks have written the disk lacks
		{100, 0, 30, 30},    // less is offered than the disk has
		{100, 60, 30, 60},   // others have written as well
		{100, 0, 170, 100},  // more than all is not in use
		{100, 100, 30, 100}, // the disk is full
	} {
		cfg := Config{Capacity: Capacity{Storage: c.offered}}
		if got := cfg.storageUsed(HostUsage{Storage: c.lacking}, c.stored<<20); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestHeartbeatsSayWhatIsStored(t *testing.T) {
	b := newBench(t)
	b.run()
	b.in(b.m.Sampled(b.now, ref1, executor.Usage{}, 3<<20, nil))
	beat := func() Heartbeat {
		b.out = nil
		b.in(b.m.MasterCalled(b.now))
		for _, a := range b.out {
			if sent, ok := a.(SendHeartbeat); ok {
				b.in(b.m.HeartbeatAnswered(b.now, 0, Beat{ClusterID: "c1"}))
				return sent.Heartbeat
			}
		}
		t.Fatal("no heartbeat")
		return Heartbeat{}
	}
	if h := beat(); h.Stored != 3<<20 {
		t.Errorf("while it runs: %d", h.Stored)
	}
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{Size: 5 << 20}, nil))
	if h := beat(); h.Stored != 5<<20 {
		t.Errorf("until it is removed: %d", h.Stored)
	}
	b.in(b.m.Reported(b.now, ref1, ReportReply{}))
	b.in(b.m.Removed(b.now, ref1, nil))
	if h := beat(); h.Stored != 0 {
		t.Errorf("after that: %d", h.Stored)
	}
}

// What earlier attempts hold counts as it is on the disk: a capacity made of
// more than removing them gives back would not be there.
func TestHeld(t *testing.T) {
	dir := t.TempDir()
	if got := Held(t.Context(), dir); got != 0 {
		t.Errorf("before the first attempt: %d", got)
	}
	output := filepath.Join(dir, attemptsName, "t-1-l", outputName)
	must(t, os.MkdirAll(output, 0o700))
	bytes := make([]byte, 1<<20)
	_, _ = rand.Read(bytes)
	must(t, os.WriteFile(filepath.Join(output, "plain"), bytes, 0o600))
	write(t, filepath.Join(output, "sparse"), 0)
	must(t, os.Truncate(filepath.Join(output, "sparse"), 1<<40))
	outside := filepath.Join(dir, "outside")
	must(t, os.WriteFile(outside, bytes, 0o600))
	must(t, os.Link(outside, filepath.Join(output, "link")))
	must(t, os.Symlink(dir, filepath.Join(output, "folder")))
	if got := Held(t.Context(), dir); got < 1<<20 || got > 1<<20+64<<10 {
		t.Errorf("one file of 1 MiB: %d", got)
	}
}
