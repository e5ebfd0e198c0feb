package agent_test

import (
	"context"
	"testing"

	"cloudai/worker/internal/executor"
)

// quick brings an image in no time.
type quick struct{ executor.Executor }

func (q quick) EnsureImage(ctx context.Context, image string, progress func(executor.PullProgress)) error {
	for _, done := range []int64{1, 50, 99} {
		progress(executor.PullProgress{DoneBytes: done, TotalBytes: 99})
	}
	return q.Executor.EnsureImage(ctx, image, progress)
}

// Progress is passed on once a second; the last word of a pull is not lost by that.
func TestLastWordOfAPullArrives(t *testing.T) {
	m := newMaster(t)
	w := startWorker(t, m, t.TempDir(), "s1", withExecutor(func(e executor.Executor) executor.Executor { return quick{e} }))
	w.assign(task("t1", nil))
	if r := m.awaitResult(t, "t1"); r.GetUsage().GetPulledBytes() != 99 {
		t.Errorf("%v", r.GetUsage())
	}
}
