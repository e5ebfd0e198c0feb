package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// A worker whose registration the store has missed may return to its tasks as
// any other; when it does not, they are lost with it, for a price.
func TestWorkerThatTheStoreHasMissed(t *testing.T) {
	for _, returns := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			r.join("w", "s1")
			id := r.submit()
			ref := r.client.order(t, 0).Ref
			if err := r.store.DeleteWorker(t.Context(), "w"); err != nil {
				t.Fatal(err)
			}
			r.restart()
			if v, err := r.c.Worker(t.Context(), admin, "w"); err != nil || v.Status != cluster.WorkerLost || v.RunningCount != 1 {
				t.Fatalf("%+v, %v", v, err)
			}
			if !returns {
				time.Sleep(15*time.Second + time.Millisecond)
				task := r.task(id)
				if task.State != cluster.StateQueued || task.Attempt != 2 || task.Reschedules != 1 {
					t.Fatalf("%+v", task)
				}
				return
			}
			if reply := r.join("w", "s2", running(ref, cluster.StateRunning)); !has(reply.Keep, ref) {
				t.Fatalf("%+v", reply)
			}
			if err := r.complete(ref, "s2"); err != nil {
				t.Fatal(err)
			}
			if task := r.task(id); task.Status() != cluster.StatusSucceeded || task.Attempt != 1 {
				t.Fatalf("%+v", task)
			}
		})
	}
}
