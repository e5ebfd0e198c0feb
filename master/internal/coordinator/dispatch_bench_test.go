package coordinator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// crowd is 5,000 workers, and 100,000 waiting tasks of so many shapes.
func crowd(b *testing.B, shapes int, free bool) *desk {
	b.Helper()
	d := newDesk(nil)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 5000 {
		w := newWorker(cluster.Worker{ID: cluster.WorkerID(fmt.Sprintf("w%04d", n)), Total: cluster.Resources{CPU: 8, Memory: 32 << 10, Storage: 1 << 20}})
		w.reachable = true
		if !free { // nearly: what waits does not fit
			w.attempts["busy"] = cluster.Resources{CPU: 7.6}
		}
		d.m.addWorker(w)
	}
	for n := range 100_000 {
		s := spec()
		s.Resources = cluster.Resources{CPU: 0.5 + float64(rng.IntN(shapes))/1e5, Memory: 512, Storage: 1024}
		t := cluster.NewTask(cluster.TaskID(fmt.Sprintf("t%06d", n)), "ann", s, d.now.Add(time.Duration(n)))
		t.Version = 1
		d.m.enqueue(d.m.addTask(t))
	}
	return d
}

// BenchmarkDispatch measures rounds with the store's answers, 256 placements
// each; full is a round that can place nothing.
func BenchmarkDispatch(b *testing.B) {
	for _, shapes := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("placing/shapes=%d", shapes), func(b *testing.B) {
			d := crowd(b, shapes, true)
			placed := 0
			b.ResetTimer()
			for b.Loop() {
				st := d.m.dispatch(d.now)
				for _, w := range st.writes {
					d.m.committed(d.now, w, nil)
				}
				placed += len(st.writes)
				if len(st.writes) == 0 {
					b.StopTimer()
					d = crowd(b, shapes, true)
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(placed)/b.Elapsed().Seconds(), "placements/s")
		})
		b.Run(fmt.Sprintf("full/shapes=%d", shapes), func(b *testing.B) {
			d := crowd(b, shapes, false)
			b.ResetTimer()
			for b.Loop() {
				if st := d.m.dispatch(d.now); len(st.writes) > 0 {
					b.Fatal("placed")
				}
			}
		})
	}
}

// BenchmarkView is what a submit's answer costs in a full cluster.
func BenchmarkView(b *testing.B) {
	d := crowd(b, 100, false)
	e := d.m.tasks["t050000"]
	b.ResetTimer()
	for b.Loop() {
		d.m.view(e, true)
	}
}

// BenchmarkInvariants is what the comparisons hold the lock for, with 5,000
// workers that run four attempts each and 100,000 tasks that wait.
func BenchmarkInvariants(b *testing.B) {
	d := crowd(b, 100, true)
	for n, w := range d.m.order {
		w.shown, w.heard = map[cluster.AttemptRef]bool{}, d.now
		for k := range 4 {
			t, err := cluster.NewTask(cluster.TaskID(fmt.Sprintf("r%04d-%d", n, k)), "ann", spec(), d.now).Assign(w.worker.ID, fmt.Sprint(n, k), d.now)
			if err != nil {
				b.Fatal(err)
			}
			t.Version = 1
			d.m.addTask(t)
			w.attempts[t.ID], w.shown[t.Ref()] = t.Spec.Resources, true
		}
	}
	ids, queued := d.m.active(), d.m.queue.IDs()
	clean := func(b *testing.B) {
		if len(d.m.mismatches.open) > 0 {
			b.Fatal("something does not agree")
		}
	}
	b.Run("look", func(b *testing.B) { // all workers, in parts
		for b.Loop() {
			for from, more := 0, true; more; from += patrolWorkers {
				more = d.m.checkWorkers(d.now, from, patrolWorkers)
			}
			d.m.review(d.now)
		}
		clean(b)
	})
	b.Run("part", func(b *testing.B) { // under one hold of the lock
		from := 0
		for b.Loop() {
			if !d.m.checkWorkers(d.now, from, patrolWorkers) {
				from = -patrolWorkers
			}
			from += patrolWorkers
		}
	})
	b.Run("list", func(b *testing.B) { // under one hold, once per sweep
		for b.Loop() {
			_, _ = d.m.active(), d.m.queue.IDs()
		}
	})
	b.Run("tasks", func(b *testing.B) {
		for b.Loop() {
			for part := range slices.Chunk(ids, patrolTasks) {
				d.m.checkTasks(d.now, part, 0)
			}
			for part := range slices.Chunk(queued, patrolTasks) {
				d.m.checkQueue(d.now, part)
			}
		}
		clean(b)
	})
}
