//go:build engine

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// What was done is in the audit log, however the master ends: killed in the midst of
// it, again and again, or in order. No entry is lost, doubled or out of its place, and
// no task is there without the entry that says who submitted it, also of those that
// were not acknowledged any more. Old entries go when the master is told so, and an
// entry says how many.
func TestF01AuditOutlivesTheMaster(t *testing.T) {
	t.Parallel()
	onEachStore(t, testAuditOutlivesTheMaster)
}

func testAuditOutlivesTheMaster(t *testing.T, store ...string) {
	w, rng := newWorld(t, store...), seeded(t)
	acked := map[string]bool{}
	for round := range 3 {
		var mu sync.Mutex
		var group sync.WaitGroup
		enough, once := 1+rng.IntN(20), sync.Once{}
		killed := make(chan struct{})
		for s := range 4 {
			group.Go(func() {
				for n := 0; ; n++ {
					got, err := w.post(t.Context(), "/api/tasks", fmt.Sprintf("a%d-%d-%d", round, s, n), `{"docker_image":"busybox"}`)
					if err != nil || got.status != 201 {
						return
					}
					mu.Lock()
					acked[got.location[len("/api/tasks/"):]] = true
					full := len(acked) >= (round+1)*enough
					mu.Unlock()
					if full {
						once.Do(func() { close(killed) })
					}
				}
			})
		}
		<-killed
		must(t, w.Master.Kill())
		group.Wait()
		must(t, w.StartMaster(t.Context()))
	}
	must(t, w.Master.Term(20*time.Second))
	must(t, w.StartMaster(t.Context()))
	there := map[string]bool{}
	for task, err := range w.API().Tasks(t.Context(), client.TaskQuery{}) {
		must(t, err)
		there[task.TaskID] = true
	}
	seq, noted := int64(0), 0
	for e, err := range w.API().Audit(t.Context(), client.AuditQuery{}) {
		must(t, err)
		if seq != 0 && e.Seq != seq-1 {
			t.Fatalf("entry %d comes before %d", e.Seq, seq)
		}
		seq = e.Seq
		noted++
		if e.Action != "submitTask" || e.Outcome != "ok" {
			continue
		}
		delete(acked, e.Target)
		if !there[e.Target] {
			t.Errorf("entry %d tells of task %q, which is not there, or twice", e.Seq, e.Target)
		}
		delete(there, e.Target)
	}
	if seq != 1 || len(acked) != 0 || len(there) != 0 {
		t.Errorf("the first entry is %d; acknowledged and without an entry are %v, there and without one %v", seq, acked, there)
	}

	must(t, w.Master.Term(20*time.Second))
	w.Set("RETENTION_AUDIT=1s")
	must(t, w.StartMaster(t.Context()))
	must(t, rig.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		var last client.AuditEntry
		for e, err := range w.API().Audit(ctx, client.AuditQuery{}) {
			if err != nil {
				return err
			}
			last = e
		}
		if last.Seq <= int64(noted) {
			return fmt.Errorf("the first entry is %d still", last.Seq)
		}
		return nil
	}))
	for e, err := range w.API().Audit(t.Context(), client.AuditQuery{Action: "pruneAudit"}) {
		must(t, err)
		if e.Via != "retention" || e.Outcome != "ok" || e.Detail == "" {
			t.Errorf("the entry that says what went: %+v", e)
		}
		return
	}
	t.Error("no entry says what went")
}
