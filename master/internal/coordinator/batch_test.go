package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// entries are n tasks, of which every bad-th has no image; 0: none.
func entries(n, bad int) []BatchEntry {
	out := make([]BatchEntry, n)
	for i := range out {
		out[i].Request = cluster.TaskRequest{Image: "i", Name: fmt.Sprint(i)}
		if bad > 0 && i%bad == 1 {
			out[i].Request.Image = ""
		}
	}
	return out
}

// batched is a batch's request with a key; its reply has the ids.
func batched(key, print string) Named[[]BatchItem] {
	return Named[[]BatchItem]{Key: key, Print: print, Reply: func(items []BatchItem) ([]byte, error) {
		return []byte(idsOf(items)), nil
	}}
}

func idsOf(items []BatchItem) string {
	var ids []string
	for _, item := range items {
		ids = append(ids, string(item.ID))
	}
	return strings.Join(ids, " ")
}

func (r *rig) count() (n int) {
	r.t.Helper()
	counts, err := r.store.CountTasks(r.t.Context(), cluster.TaskFilter{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, of := range counts {
		n += of
	}
	return n
}

func TestBatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		items, _, err := r.c.SubmitBatch(t.Context(), ann, entries(600, 100), false, Named[[]BatchItem]{})
		if err != nil || len(items) != 600 || r.count() != 594 {
			t.Fatalf("%d items, %v, %d tasks", len(items), err, r.count())
		}
		for i, item := range items {
			if bad := i%100 == 1; bad != (item.ID == "") || bad && item.Faults[0].Location != "docker_image" {
				t.Fatalf("%d: %+v", i, item)
			}
		}
		// They wait in the order in which they came.
		page, _, err := r.c.Tasks(t.Context(), ann, cluster.TaskFilter{}, cluster.Page{Limit: 3})
		if err != nil || page[0].Spec.Name != "599" || page[2].Spec.Name != "597" {
			t.Fatalf("%v %v", page, err)
		}
		if first, err := r.c.Task(t.Context(), ann, items[0].ID); err != nil || first.Waiting.QueuePosition != 1 {
			t.Errorf("%+v, %v", first.Waiting, err)
		}
		_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(600, 100), true, Named[[]BatchItem]{})
		r.wantErr("one that is wrong", err, cluster.ErrInvalid)
		if faults := cluster.FaultsOf(err); len(faults) != 6 || faults[1].Location != "tasks[101].docker_image" {
			t.Errorf("%+v", faults)
		}
		_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(MaxBatch+1, 0), false, Named[[]BatchItem]{})
		r.wantErr("too many", err, cluster.ErrInvalid)
		_, _, err = r.c.SubmitBatch(t.Context(), ann, nil, false, Named[[]BatchItem]{})
		r.wantErr("none", err, cluster.ErrInvalid)
		if r.count() != 594 {
			t.Errorf("%d tasks", r.count())
		}
		if n := r.c.m.entering; len(n.tasks)+len(n.keys)+n.bytes != 0 {
			t.Fatalf("left behind: %+v", n)
		}
	})
}

// F02: a batch that broke off at any commit is completed by its repeat, in this
// life of the master or in the next, each task once and with the same id.
func TestF02BatchIsCompleted(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for broken := range 4 {
			t.Run(fmt.Sprintf("restart %v, commit %d", restart, broken), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *rig) {
					const n = 3*batchStep + 5
					commits := 0
					r.store.set(func(s *shakyStore) {
						s.commit = func(writes []db.Write) []error {
							if len(writes) < 5 || writes[0].Expect != 0 {
								return nil
							}
							if commits++; commits <= broken {
								return nil
							}
							return slices.Repeat([]error{db.ErrFull}, len(writes))
						}
					})
					_, _, err := r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "x"))
					r.wantErr("the disk is full", err, cluster.ErrUnavailable)
					if want := broken * batchStep; r.count() != want {
						t.Fatalf("%d tasks, want %d", r.count(), want)
					}
					r.store.set(func(s *shakyStore) { s.commit = nil })
					if restart {
						r.restart()
					}
					items, kept, err := r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "x"))
					if err != nil || r.count() != n || kept != nil && string(kept) != idsOf(items) {
						t.Fatalf("%v, %d tasks", err, r.count())
					}
					if (kept != nil) != (broken > 0) {
						t.Errorf("kept %q", kept)
					}
					again, kept, err := r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "x"))
					if err != nil || string(kept) != idsOf(items) || idsOf(again) != idsOf(items) || r.count() != n {
						t.Fatalf("the third: %v, %d tasks", err, r.count())
					}
					_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(n, 0), true, batched("k", "y"))
					r.wantErr("another request", err, cluster.ErrInvalid)
				})
			})
		}
	}
}

// What is over and was pruned does not come back by a repeat.
func TestF02BatchDoesNotReviveThePruned(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		items, _, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Cancel(t.Context(), ann, items[1].ID); err != nil {
			t.Fatal(err)
		}
		gone := r.task(items[1].ID)
		if err := r.store.DeleteTasks(t.Context(), []db.TaskVersion{{ID: gone.ID, Version: gone.Version}})[0]; err != nil {
			t.Fatal(err)
		}
		if _, kept, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x")); err != nil || string(kept) != idsOf(items) || r.count() != 2 {
			t.Errorf("%q, %v, %d tasks", kept, err, r.count())
		}
	})
}

// A key that has run out names a new batch, with other ids.
func TestBatchKeyRunsOut(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := cluster.NewTask("old", ann.UserID, cluster.Spec{Image: "i"}, time.Now())
		old.Version = 1
		key := db.Key{
			Name: db.KeyName{UserID: ann.UserID, Route: routeBatch, Key: "k"}, Print: "x", TaskID: "old", Reply: []byte("old"),
			StoredAt: time.Now().Add(-KeyLifetime), ExpiresAt: time.Now(),
		}
		if err := r.store.Commit(t.Context(), []db.Write{{Task: old, Key: &key}})[0]; err != nil {
			t.Fatal(err)
		}
		items, kept, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x"))
		if err != nil || kept != nil || items[0].ID == idIn(key, 0) || r.count() != 4 {
			t.Fatalf("%q, %v, %d tasks", kept, err, r.count())
		}
	})
}

// A first commit of unknown outcome: the key stays with it until the store has
// told.
func TestF01UnknownOutcomeOfABatch(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("written %v", there), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.store.set(func(s *shakyStore) { s.read = db.ErrUnavailable })
				r.store.set(func(s *shakyStore) {
					s.commit = func(writes []db.Write) []error {
						if there {
							s.Memory.Commit(t.Context(), writes)
						}
						return slices.Repeat([]error{db.ErrOutcomeUnknown}, len(writes))
					}
				})
				_, _, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x"))
				r.wantErr("the first", err, cluster.ErrUnavailable)
				_, _, err = r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x"))
				r.wantErr("while nobody knows", err, cluster.ErrInFlight)
				r.store.set(func(s *shakyStore) { s.read, s.commit = nil, nil })
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if _, _, err := r.c.SubmitBatch(t.Context(), ann, entries(3, 0), true, batched("k", "x")); err != nil || r.count() != 3 {
					t.Errorf("%v, %d tasks", err, r.count())
				}
			})
		})
	}
}
