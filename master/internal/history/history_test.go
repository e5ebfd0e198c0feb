package history

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
)

func ended(t *testing.T, by string) *cluster.Task {
	t.Helper()
	task := cluster.NewTask("t", "u", cluster.Spec{}, time.Now())
	switch by {
	case "cancel":
		task.Outcome, task.State = cluster.OutcomeCancelled, cluster.StateStored
	case "failure":
		task.Outcome, task.State = cluster.OutcomeFailed, cluster.StateStored
	case "success":
		task.Outcome, task.State = cluster.OutcomeSuccess, cluster.StateStored
	}
	return &task
}

// Each look has what ended since the one before, and an hour of them stays.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		state := State{Total: cluster.Resources{CPU: 4}}
		h := New(func() State {
			mu.Lock()
			defer mu.Unlock()
			return state
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		synctest.Wait()
		if got := h.Samples(); len(got) != 1 || got[0].Total.CPU != 4 || got[0].Waited != 0 {
			t.Fatalf("at the start: %+v", got)
		}
		mu.Lock()
		state.Queue, state.Oldest = 3, time.Now().Add(-time.Minute)
		mu.Unlock()
		for by, fresh := range map[string]int{"success": 1, "failure": 2, "cancel": 1, "": 1} {
			h.Task(ended(t, by), fresh)
		}
		h.Task(ended(t, "success"), 0) // changed after its end
		time.Sleep(Step)
		synctest.Wait()
		got := h.Samples()
		if len(got) != 2 || got[1].Ended != (Ended{1, 1, 1}) || got[1].Queue != 3 || got[1].Waited != time.Minute+Step {
			t.Errorf("after a step: %+v", got)
		}
		time.Sleep(2 * Span)
		synctest.Wait()
		got = h.Samples()
		if len(got) != int(Span/Step) || got[len(got)-1].Ended != (Ended{}) || got[len(got)-1].Time.Sub(got[0].Time) != Span-Step {
			t.Errorf("%d samples from %v to %+v", len(got), got[0].Time, got[len(got)-1])
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
