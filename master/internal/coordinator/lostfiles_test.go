package coordinator

import (
	"testing"
	"time"

	"cloudai/master/internal/db"
)

// F05: files were published for a result of which the store then had nothing;
// they go when the attempt is lost, not only with the master's next start.
func TestF05LostAttemptLeavesNoPublishedFiles(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s1")
		r.submit()
		r.store.fail(db.ErrOutcomeUnknown, false)
		if err := r.complete(r.client.order(t, 0).Ref, "s1"); err == nil {
			t.Fatal("taken")
		}
		if r.keeper.count("retract 1") > 0 {
			t.Fatal("retracted before anybody knows")
		}
		time.Sleep(20 * time.Second)
		if r.keeper.count("retract 1") != 1 || r.keeper.count("discard 1") != 1 {
			t.Fatalf("%v", r.keeper.noted())
		}
	})
}
