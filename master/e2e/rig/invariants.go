package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudai/master/client"
)

// Invariants is nil when the master finds that store, memory and heartbeats
// agree, by a comparison that began after this call. What is only under way is
// an error too: ask again. A violation never passes: it ends Await's patience
// with itself as the last word. Without a master that runs there is nobody to
// ask.
func (r *Rig) Invariants(ctx context.Context) error {
	if r.Master == nil || !r.Master.Running() {
		return nil
	}
	began := time.Now()
	for {
		health, err := r.api.Health(ctx)
		if err != nil {
			return err
		}
		found := health.Invariants
		if found == nil {
			return errors.New("the master says nothing of its invariants")
		}
		if after(found.CheckedAt, began) && after(found.SweptAt, began) {
			return r.judge(ctx, found)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no comparison has begun since %s: %+v", began.Format(time.TimeOnly), *found)
		case <-time.After(askAgain):
		}
	}
}

func after(t *time.Time, began time.Time) bool { return t != nil && t.After(began) }

// judge names what is wrong.
func (r *Rig) judge(ctx context.Context, found *client.Invariants) error {
	if found.Violations == 0 && found.Pending == 0 {
		return nil
	}
	state, err := r.api.Cluster(ctx)
	var named []string
	for _, x := range state.Mismatches {
		named = append(named, fmt.Sprintf("%s: task %s attempt %d worker %s for %s", x.Message, x.TaskID, x.Attempt, x.WorkerID, x.Age))
	}
	return errors.Join(err, fmt.Errorf("%d violations, %d under way: %s", found.Violations, found.Pending, strings.Join(named, "; ")))
}
