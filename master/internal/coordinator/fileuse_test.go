package coordinator

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// A quota that is used up refuses new tasks by every call; a repeat of a request
// that was taken before hears its first reply, and what runs goes on.
func TestFullQuotaRefusesNewTasks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id, first, err := r.send(ann, "k", "x")
		if err != nil {
			t.Fatal(err)
		}
		r.join("w", "s")
		if err := r.complete(r.client.order(t, 0).Ref, "s"); err != nil {
			t.Fatal(err)
		}
		items, _, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("b", "x"))
		if err != nil {
			t.Fatal(err)
		}
		before := r.count()
		use := cluster.FileUse{Used: 3 << 30, Quota: 3 << 30}
		r.keeper.set(ann.UserID, use)

		refused := func(what string, err error) {
			t.Helper()
			r.wantErr(what, err, cluster.ErrQuota)
			if !strings.Contains(err.Error(), "3 GiB of a quota of 3 GiB") || !strings.Contains(err.Error(), "DELETE /api/files/") {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{})
		refused("submit", err)
		_, _, err = r.send(ann, "other", "x")
		refused("submit with a key", err)
		_, err = r.c.Retry(t.Context(), ann, id, Once{})
		refused("retry", err)
		_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, Named[[]BatchItem]{})
		refused("batch", err)
		_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("other", "x"))
		refused("batch with a key", err)
		if r.count() != before {
			t.Fatalf("%d tasks, before %d", r.count(), before)
		}

		if again, reply, err := r.send(ann, "k", "x"); err != nil || again != id || reply != first {
			t.Errorf("a repeat: %s, %q, %v", again, reply, err)
		}
		if _, _, err := r.send(ann, "k", "y"); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("another request with the key: %v", err)
		}
		if again, kept, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("b", "x")); err != nil ||
			string(kept) != idsOf(items) || idsOf(again) != idsOf(items) {
			t.Errorf("a batch's repeat: %s, %v", kept, err)
		}
		if _, err := r.c.Submit(t.Context(), bob, cluster.TaskRequest{Image: "i"}, Once{}); err != nil {
			t.Errorf("another's: %v", err)
		}

		use.Used--
		r.keeper.set(ann.UserID, use)
		if _, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{}); err != nil {
			t.Errorf("with a byte of room: %v", err)
		}
	})
}

// A batch that came half way is completed, whatever its user's files take by then.
func TestFullQuotaLetsABatchBeCompleted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		steps := 0
		r.store.set(func(s *shakyStore) {
			s.commit = func(writes []db.Write) []error {
				if steps++; steps == 1 {
					return nil // as the memory does
				}
				return slices.Repeat([]error{db.ErrUnavailable}, len(writes))
			}
		})
		const n = batchStep + 10
		if _, _, err := r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "x")); err == nil {
			t.Fatal("stored")
		}
		r.store.set(func(s *shakyStore) { s.commit = nil })
		r.keeper.set(ann.UserID, cluster.FileUse{Used: 9, Quota: 9})
		if _, _, err := r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "x")); err != nil || r.count() != n {
			t.Fatalf("%v, %d tasks", err, r.count())
		}
	})
}

func TestFileUse(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		want := cluster.FileUse{Used: 1, Quota: 2}
		r.keeper.set(ann.UserID, want)
		for _, p := range []cluster.Principal{ann, admin} {
			if got, err := r.c.FileUse(p, ann.UserID); err != nil || got != want {
				t.Errorf("%s: %v, %v", p.UserID, got, err)
			}
		}
		_, err := r.c.FileUse(bob, ann.UserID)
		r.wantErr("another's", err, cluster.ErrNotFound)
	})
}
