package coordinator

import (
	"fmt"
	"math/rand/v2"
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
