package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

var benchTime = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// benchLife is a task's writes from submit to success, as the coordinator makes
// them when progress rides along: three.
func benchLife(n int) []db.Write {
	at := benchTime.Add(time.Duration(n) * time.Millisecond)
	id := cluster.TaskID(fmt.Sprintf("01j%010dabcdefghijkl", n))
	user := cluster.UserID(fmt.Sprintf("user-%02d", n%50))
	task := cluster.NewTask(id, user, cluster.Spec{
		Image: "registry.example.org/team/image:1.2.3", Command: "python train.py --epochs 3", Name: fmt.Sprintf("train-%d", n%1000),
		Resources: cluster.Resources{CPU: 1, Memory: 512, Storage: 1024}, Env: map[string]string{"SEED": "1", "MODE": "fast"},
		Labels: map[string]string{"team": fmt.Sprint("t", n%7), "project": "vision"}, Priority: 50, MaxReschedules: 3, Network: "bridge",
	}, at)
	task.Version = 1
	writes := []db.Write{{Task: task}}
	step := func(next cluster.Task, err error) {
		if err != nil {
			panic(err)
		}
		next.Version++
		task = next
		writes = append(writes, db.Write{Task: task, Expect: task.Version - 1})
	}
	step(task.Assign(cluster.WorkerID(fmt.Sprint("worker-", n%16)), "0123456789abcdef", at))
	writes[1].Assignment = &db.Assignment{Ref: task.Ref(), WorkerID: task.WorkerID, AssignedAt: at}
	ref, zero := task.Ref(), 0
	obs := cluster.Observation{Outcome: cluster.OutcomeSuccess, ExitCode: &zero}
	for _, state := range cluster.States[3:9] {
		obs.States = append(obs.States, cluster.StateTime{State: state, Time: at})
	}
	observed, _, err := task.Observe(obs, at)
	if err != nil {
		panic(err)
	}
	step(observed.Finish(cluster.Verdict{Outcome: cluster.OutcomeSuccess, ExitCode: &zero, Cause: "result"}, at))
	writes[2].Result = &db.Result{Ref: ref, WorkerID: "worker-1", Outcome: cluster.OutcomeSuccess, ExitCode: &zero, StoredAt: at}
	return writes
}

// BenchmarkCommit measures durable writes by callers that each wait for their
// own; a task's life is three of them.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, b.TempDir())
			lives := make([][]db.Write, b.N/3+1)
			for i := range lives {
				lives[i] = benchLife(i)
			}
			took := make([]time.Duration, len(lives)*3)
			var next atomic.Int64
			var done sync.WaitGroup
			b.ResetTimer()
			for range callers {
				done.Go(func() {
					for i := int(next.Add(1)) - 1; i < len(lives); i = int(next.Add(1)) - 1 {
						for j, w := range lives[i] {
							start := time.Now()
							if err := s.Commit(context.Background(), []db.Write{w})[0]; err != nil {
								b.Error(err)
								return
							}
							took[i*3+j] = time.Since(start)
						}
					}
				})
			}
			done.Wait()
			b.StopTimer()
			b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "writes/s")
			reportQuantiles(b, took)
		})
	}
}

// BenchmarkCommitBatch measures one caller that hands over 1,000 tasks at once.
func BenchmarkCommitBatch(b *testing.B) {
	s := open(b, b.TempDir())
	n := 0
	for b.Loop() {
		writes := make([]db.Write, 1000)
		for i := range writes {
			writes[i] = benchLife(n)[0]
			n++
		}
		for _, err := range s.Commit(b.Context(), writes) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "writes/s")
}
