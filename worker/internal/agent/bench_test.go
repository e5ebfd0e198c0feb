package agent_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc"
)

// BenchmarkTasks measures whole tasks with the fake executor: assigned,
// accepted, run, reported, removed.
func BenchmarkTasks(b *testing.B) {
	m := newMaster(b)
	w := startWorker(b, m, b.TempDir(), "s1")
	w.assign(task("warm", nil))
	m.awaitResult(b, "warm")
	before := len(m.progress)
	const placed = 64
	places := make(chan struct{}, placed)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range b.N {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if _, err := w.client.AssignTask(context.Background(), task(fmt.Sprintf("t%d", i), nil), grpc.WaitForReady(true)); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	m.await(b, "all results", func() bool { return len(m.results) >= b.N+1 })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64(len(m.progress)-before)/float64(b.N), "progress/task")
}
