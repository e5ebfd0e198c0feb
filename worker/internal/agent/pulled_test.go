package agent

import (
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// said is the newest progress report, which is answered.
func (b *bench) said() (last Progress) {
	b.t.Helper()
	found := false
	for _, a := range b.out {
		if r, ok := a.(ReportProgress); ok {
			last, found = r.Progress, true
		}
	}
	if !found {
		b.t.Fatalf("no progress in %v", b.out)
	}
	b.out = nil
	b.in(b.m.ProgressAnswered(b.now, ref1, len(last.States), Reply{}))
	return last
}

// Once the image is there nothing is on its way: what runs shows no progress.
func TestARunningTaskShowsNoPull(t *testing.T) {
	b := newBench(t)
	b.assign()
	b.in(b.m.Pulling(b.now, ref1, executor.PullProgress{DoneBytes: 10, TotalBytes: 30}))
	if p := b.said(); p.DoneBytes != 10 || p.TotalBytes != 30 {
		t.Errorf("while it is pulled: %+v", p)
	}
	b.in(b.m.Pulled(b.now, ref1, nil))
	b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
	b.in(b.m.Started(b.now, ref1, b.now))
	b.pass(newsDelay)
	if p := b.said(); p.DoneBytes != 0 || p.TotalBytes != 0 {
		t.Errorf("while it runs: %+v", p)
	}
}

// What came for the image is said to the end.
func TestPulledBytesAreKept(t *testing.T) {
	b := newBench(t)
	b.assign()
	b.in(b.m.Pulling(b.now, ref1, executor.PullProgress{DoneBytes: 10, TotalBytes: 30}))
	if p := b.said(); p.Usage.PulledBytes != 10 {
		t.Errorf("while it is pulled: %+v", p)
	}
	b.m.brought(ref1, 30)
	b.in(b.m.Pulled(b.now, ref1, nil))
	b.in(b.m.Created(b.now, ref1, executor.Container{ID: "id1"}, nil))
	b.in(b.m.Started(b.now, ref1, b.now))
	b.pass(newsDelay)
	if p := b.said(); p.Usage.PulledBytes != 30 {
		t.Errorf("once it is there: %+v", p)
	}
	b.exit(nil)
	b.in(b.m.Collected(b.now, ref1, Collection{}, nil))
	if r := b.result(); r.Usage.PulledBytes != 30 {
		t.Errorf("at the end: %+v", r.Usage)
	}
}

// Another try begins at its own zero; what came before is not forgotten.
func TestPulledBytesOutliveATry(t *testing.T) {
	b := newBench(t)
	b.assign()
	b.m.brought(ref1, 20)
	b.in(b.m.Pulled(b.now, ref1, executor.ErrRegistry))
	b.pass(5 * time.Second)
	b.m.brought(ref1, 5)
	b.in(b.m.Pulled(b.now, ref1, executor.ErrImage))
	if r := b.result(); r.Failure != FailureImage || r.Usage.PulledBytes != 20 {
		t.Errorf("%+v", r)
	}
}
