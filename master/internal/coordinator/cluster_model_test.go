package coordinator

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// run plays one seed; it returns the fleet and why the run failed, or "".
func run(seed uint64, tracing bool) (f *fleet, why string) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(failure)
			if !ok {
				panic(r)
			}
			why = failed.message
		}
	}()
	f = newFleet(seed, tracing)
	if f.rng.IntN(4) > 0 {
		f.join()
	}
	events := 400 + f.rng.IntN(400)
	for range events {
		f.operate()
	}
	f.count.Events += events
	f.settle()
	f.count.Runs++
	return f, ""
}

// fromEnv reads a number; ok is false when it is not given.
func fromEnv(t *testing.T, name string) (n uint64, ok bool) {
	s := os.Getenv(name)
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

// TestClusterModel plays the whole cluster with thousands of seeds, the first
// tenth of them always the same, and checks the promises P1 to P7 after every
// event. CLUSTER_SEED repeats a failure with its story, CLUSTER_RUNS changes
// how many runs there are.
func TestClusterModel(t *testing.T) {
	if seed, ok := fromEnv(t, "CLUSTER_SEED"); ok {
		f, why := run(seed, true)
		for _, line := range f.trace {
			t.Log(line)
		}
		if why != "" {
			t.Fatalf("seed %d: %s", seed, why)
		}
		return
	}
	runs := uint64(fleetRuns)
	if n, ok := fromEnv(t, "CLUSTER_RUNS"); ok {
		runs = n
	}
	first := uint64(time.Now().UnixNano())
	t.Logf("%d runs, from seed 1 and from seed %d on", runs, first)
	var next atomic.Uint64
	var failed atomic.Bool
	var mu sync.Mutex
	var all counts
	t.Run("seeds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				var mine counts
				for n := next.Add(1); n <= runs && !failed.Load(); n = next.Add(1) {
					seed := n
					if n > runs/10 {
						seed = first + n
					}
					f, why := run(seed, false)
					if why != "" {
						failed.Store(true)
						tell(t, seed, why)
						return
					}
					mine.add(f.count)
				}
				mu.Lock()
				defer mu.Unlock()
				all.add(mine)
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Log(all.String())
	all.each(func(name string, n int64) {
		if n == 0 && runs >= 5000 {
			t.Errorf("%s: none in %d runs, so they say nothing about it", name, runs)
		}
	})
}

// tell plays a failed seed again for its story.
func tell(t *testing.T, seed uint64, why string) {
	f, again := run(seed, true)
	const last = 120
	for _, line := range f.trace[max(0, len(f.trace)-last):] {
		t.Log(line)
	}
	if again != why {
		t.Errorf("seed %d failed with %q, and again with %q", seed, why, again)
	}
	t.Errorf("%s; repeat with CLUSTER_SEED=%d", why, seed)
}

// TestClusterModelRepeats holds the model to its promise that a seed is a run.
func TestClusterModelRepeats(t *testing.T) {
	for seed := range uint64(20) {
		a, _ := run(seed, true)
		b, _ := run(seed, true)
		if slices.Equal(a.trace, b.trace) {
			continue
		}
		for n := range a.trace {
			if n >= len(b.trace) || a.trace[n] != b.trace[n] {
				t.Fatalf("seed %d, event %d: %q and %q", seed, n, a.trace[n], b.trace[min(n, len(b.trace)-1)])
			}
		}
		t.Fatalf("seed %d: %d and %d events", seed, len(a.trace), len(b.trace))
	}
}
