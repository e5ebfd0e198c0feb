package workerconn

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestLanes sends many callers of random patience through one lane: never two
// inside, always in order, and nothing is left.
func TestLanes(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { runLane(t, seed) })
	}
}

func runLane(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var l lanes
	key := lane{worker: "w1", task: "t1"}
	var inside bool
	var order []int
	for i := range 20 {
		patience := time.Duration(1+random.IntN(50)) * time.Millisecond
		work := time.Duration(random.IntN(10)) * time.Millisecond
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if l.enter(ctx, key) != nil {
				return
			}
			defer l.leave(key)
			if inside {
				t.Errorf("seed %d: two are inside", seed)
			}
			inside = true
			order = append(order, i)
			time.Sleep(work)
			inside = false
		}()
		synctest.Wait() // it has its place before the next one comes
		time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
	}
	time.Sleep(time.Second)
	synctest.Wait()
	for i := 1; i < len(order); i++ {
		if order[i] < order[i-1] {
			t.Errorf("seed %d: order %v", seed, order)
		}
	}
	if len(order) == 0 || len(l.waiting) != 0 {
		t.Errorf("seed %d: %d came through, left are %v", seed, len(order), l.waiting)
	}
}
