//go:build engine

package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// What was acknowledged is in the audit log, however the master ends: killed in
// the midst of it, again and again, or in order. No entry is lost, doubled or out
// of its place.
func TestAuditOutlivesTheMaster(t *testing.T) {
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
	seq := int64(0)
	for e, err := range w.API().Audit(t.Context(), client.AuditQuery{}) {
		must(t, err)
		if seq != 0 && e.Seq != seq-1 {
			t.Fatalf("entry %d comes before %d", e.Seq, seq)
		}
		seq = e.Seq
		if e.Action == "submitTask" {
			delete(acked, e.Target)
		}
	}
	if seq != 1 || len(acked) != 0 {
		t.Errorf("the first entry is %d; without an entry are %v", seq, acked)
	}
}
