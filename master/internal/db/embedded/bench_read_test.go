package embedded

import (
	"slices"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// reportQuantiles adds the median and the 99th percentile to a benchmark.
func reportQuantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99} {
		b.ReportMetric(float64(took[int(q*float64(len(took)-1))])/1e6, name)
	}
}

const manyTasks = 100_000

// fillMany stores 100,000 tasks of 50 users; the newest hundred are not
// finished, one in a hundred of the others failed.
func fillMany(b *testing.B) *Store {
	b.Helper()
	s := open(b, b.TempDir())
	for n := 0; n < manyTasks; {
		var writes []db.Write
		for range 1000 {
			life := benchLife(n)
			last := life[2]
			switch {
			case n >= manyTasks-100:
				last = life[n%2]
			case n%100 == 0:
				last.Task.Outcome, last.Task.Failure = cluster.OutcomeFailed, cluster.FailureExit
			}
			last.Task.Version, last.Expect = 1, 0
			writes = append(writes, last)
			n++
		}
		for _, err := range s.Commit(b.Context(), writes) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return s
}

// BenchmarkRead measures reads beside 100,000 tasks.
func BenchmarkRead(b *testing.B) {
	s := fillMany(b)
	measure := func(name string, read func() error) {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := read(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			reportQuantiles(b, took)
		})
	}
	middle := benchLife(manyTasks / 2)[0].Task
	measure("point", func() error { _, err := s.Task(b.Context(), middle.ID); return err })
	for _, list := range []struct {
		name   string
		filter cluster.TaskFilter
		after  cluster.Cursor
	}{
		{"newest", cluster.TaskFilter{}, cluster.Cursor{}},
		{"middle", cluster.TaskFilter{}, cluster.Cursor{CreatedAt: middle.CreatedAt, ID: string(middle.ID)}},
		{"user", cluster.TaskFilter{UserID: "user-07"}, cluster.Cursor{}},
		{"status", cluster.TaskFilter{Statuses: []cluster.Status{"failed"}}, cluster.Cursor{}},
		{"active", cluster.TaskFilter{Statuses: []cluster.Status{"queued", "assigned", "running"}}, cluster.Cursor{}},
		{"user and status", cluster.TaskFilter{UserID: "user-00", Statuses: []cluster.Status{"failed"}}, cluster.Cursor{}},
		{"worker", cluster.TaskFilter{WorkerID: "worker-3"}, cluster.Cursor{}},
		{"name", cluster.TaskFilter{NamePrefix: "train-77"}, cluster.Cursor{}},
		{"label", cluster.TaskFilter{Labels: map[string]string{"team": "t3"}}, cluster.Cursor{}},
		{"text", cluster.TaskFilter{Text: "TRAIN-77"}, cluster.Cursor{}},
		{"name of nobody", cluster.TaskFilter{NamePrefix: "zzz"}, cluster.Cursor{}},
		{"label of nobody", cluster.TaskFilter{Labels: map[string]string{"team": "none"}}, cluster.Cursor{}},
		{"text of nobody", cluster.TaskFilter{Text: "nowhere"}, cluster.Cursor{}},
	} {
		measure("list/"+list.name, func() error {
			_, _, err := s.ListTasks(b.Context(), list.filter, cluster.Page{Limit: 50, After: list.after})
			return err
		})
	}
	for _, list := range []struct {
		name   string
		filter cluster.TaskFilter
		by     cluster.ListOrder
	}{
		{"oldest first", cluster.TaskFilter{}, cluster.OldestFirst},
		{"by name", cluster.TaskFilter{}, cluster.ByName},
		{"by name, from its end", cluster.TaskFilter{}, cluster.ByNameFromEnd},
		{"by name, user", cluster.TaskFilter{UserID: "user-07"}, cluster.ByName},
		{"by name, status", cluster.TaskFilter{Statuses: []cluster.Status{"failed"}}, cluster.ByName},
	} {
		measure("list/"+list.name, func() error {
			_, _, err := s.ListTasks(b.Context(), list.filter, cluster.Page{Limit: 50, Order: list.by})
			return err
		})
	}
	measure("count/all", func() error { _, err := s.CountTasks(b.Context(), cluster.TaskFilter{}); return err })
	measure("count/user", func() error {
		_, err := s.CountTasks(b.Context(), cluster.TaskFilter{UserID: "user-07"})
		return err
	})
	measure("active", func() error { return s.ActiveTasks(b.Context(), func(cluster.Task) error { return nil }) })
	measure("prefix", func() error { _, err := s.TasksWithPrefix(b.Context(), string(middle.ID)[:8], "", 20); return err })
}
