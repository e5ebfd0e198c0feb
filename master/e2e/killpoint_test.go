//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// A task that was acknowledged is there after a crash, once, at whatever moment
// the crash comes.
func TestF01SoakKillPoints(t *testing.T) {
	points, rng := amount(1000, 100), seeded(t)
	w := newWorld(t, byDefault)
	w.image = "busybox:latest"
	names := map[string]string{} // of the acknowledged tasks, by id
	var slowest time.Duration
	for point := range points {
		acknowledged := w.killAmidSubmits(t, rng, point)
		began := time.Now()
		must(t, w.StartMaster(t.Context()))
		slowest = max(slowest, time.Since(began))
		for id, name := range acknowledged {
			names[id] = name
			if task, err := w.API().Task(t.Context(), id); err != nil || task.Name != name || task.Status != "queued" {
				t.Errorf("kill point %d: task %s (%s): %v, %v", point, id, name, describe(task), err)
			}
		}
	}
	lost := len(names)
	seen := map[string]bool{}
	for task, err := range w.API().Tasks(t.Context(), client.TaskQuery{}) {
		must(t, err)
		if seen[task.Name] {
			t.Errorf("task %s is there twice", task.Name)
		}
		seen[task.Name] = true
		if names[task.TaskID] == task.Name {
			lost--
		}
	}
	if about, err := w.API().Cluster(t.Context()); err != nil || about.QueueLength != len(seen) {
		t.Errorf("the queue has %d of %d tasks, %v", about.QueueLength, len(seen), err)
	}
	atMost(t, fmt.Sprintf("of %d tasks acknowledged around %d kill points are lost", len(names), points), lost, 0)
	atMost(t, "slowest of the starts in between", milliseconds(slowest), 5*time.Second)
}

// killAmidSubmits has clients submit as fast as they can and kills the master
// at some moment after a random number of answers. It gives the names of the
// tasks that were acknowledged, by id.
func (w *world) killAmidSubmits(t *testing.T, rng *rand.Rand, point int) map[string]string {
	t.Helper()
	const clients, most = 6, 40
	// One that does not send anything again: what has no answer has none.
	api, err := client.New(client.Options{Socket: w.Socket(), Patience: time.Nanosecond})
	must(t, err)
	defer api.Close()
	var mu sync.Mutex
	acknowledged := map[string]string{}
	answers := make(chan struct{}, 10_000) // more than ever come
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for n := 0; ; n++ {
				r := w.small("true")
				r.Name = fmt.Sprintf("%d-%d-%d", point, c, n)
				task, err := api.Submit(t.Context(), r)
				var gone *client.UnreachableError
				if errors.As(err, &gone) {
					return
				}
				if err != nil {
					t.Errorf("submit %s: %v", r.Name, err)
					return
				}
				mu.Lock()
				acknowledged[task.TaskID] = r.Name
				mu.Unlock()
				answers <- struct{}{}
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), verdict)
	defer cancel()
	for range rng.IntN(most) {
		select {
		case <-answers:
		case <-ctx.Done():
			t.Error("there was no answer to a submit")
		}
	}
	<-time.After(time.Duration(rng.IntN(3000)) * time.Microsecond)
	must(t, w.Master.Kill())
	group.Wait()
	return acknowledged
}
