package agent

import (
	"testing"

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
