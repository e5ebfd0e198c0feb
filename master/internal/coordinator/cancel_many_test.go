package coordinator

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// counted is a cancel's request with a key.
func counted(key, print string) Named[CancelReport] {
	return Named[CancelReport]{Key: key, Print: print, Reply: func(r CancelReport) ([]byte, error) { return fmt.Append(nil, r), nil }}
}

func TestCancelMany(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join("w", "s")
		placed := r.submit()
		synctest.Wait()
		if !r.task(placed).State.Placed() {
			t.Fatal("not placed")
		}
		if _, _, err := r.c.SubmitBatch(t.Context(), ann, hungry(700), true, Named[[]BatchItem]{}); err != nil {
			t.Fatal(err)
		}
		others, _, err := r.c.SubmitBatch(t.Context(), bob, hungry(2), true, Named[[]BatchItem]{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(what string, p cluster.Principal, q CancelRequest, want CancelReport) {
			t.Helper()
			got, kept, err := r.c.CancelTasks(t.Context(), p, q, Named[CancelReport]{})
			if err != nil || kept != nil || got != want {
				t.Fatalf("%s: %+v %q %v, want %+v", what, got, kept, err, want)
			}
			synctest.Wait()
		}
		ask("only counted", ann, CancelRequest{Dry: true}, CancelReport{Matched: 701})
		ask("another's", ann, CancelRequest{Filter: cluster.TaskFilter{UserID: "bob"}}, CancelReport{})
		ask("another's by id", ann, CancelRequest{IDs: []cluster.TaskID{others[0].ID, "none"}}, CancelReport{})
		ask("what is over", ann, CancelRequest{Filter: cluster.TaskFilter{Statuses: []cluster.Status{cluster.StatusFailed}}}, CancelReport{})
		ask("by name", ann, CancelRequest{Filter: cluster.TaskFilter{NamePrefix: "69"}}, CancelReport{Matched: 11, Cancelled: 11})
		ask("by status", ann, CancelRequest{Filter: cluster.TaskFilter{Statuses: []cluster.Status{cluster.StatusQueued}}}, CancelReport{Matched: 689, Cancelled: 689})
		ask("the rest", ann, CancelRequest{}, CancelReport{Matched: 1, Requested: 1})
		if !r.task(placed).CancelRequested {
			t.Error("the placed one was not asked to stop")
		}
		ask("an admin's, by id", admin, CancelRequest{IDs: []cluster.TaskID{others[0].ID, others[0].ID}}, CancelReport{Matched: 1, Cancelled: 1})
		if r.task(others[1].ID).Terminal() {
			t.Error("one that was not named")
		}
	})
}

// hungry are tasks that no worker can take.
func hungry(n int) []BatchEntry {
	list := entries(n, 0)
	much := 5000.0
	for i := range list {
		list[i].Request.CPU = &much
	}
	return list
}

// F02: a repeat gets the first reply and stops nothing that came later.
func TestF02CancelManyOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.submit()
		r.submit()
		first, kept, err := r.c.CancelTasks(t.Context(), ann, CancelRequest{}, counted("k", "x"))
		if err != nil || kept != nil || first.Cancelled != 2 {
			t.Fatalf("%+v %q %v", first, kept, err)
		}
		later := r.submit()
		_, kept, err = r.c.CancelTasks(t.Context(), ann, CancelRequest{}, counted("k", "x"))
		if err != nil || string(kept) != fmt.Sprint(first) || r.task(later).Terminal() {
			t.Fatalf("%q %v", kept, err)
		}
		_, _, err = r.c.CancelTasks(t.Context(), ann, CancelRequest{}, counted("k", "y"))
		r.wantErr("another request", err, cluster.ErrInvalid)
		if n := r.c.m.entering; len(n.keys) != 0 {
			t.Errorf("left behind: %+v", n)
		}
	})
}

// F02: also the reply of a request that stops nothing is kept, and that of one
// that only counts: a repeat stops nothing that came later, and what could not be
// kept is an error.
func TestF02CancelOfNothingOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for what, q := range map[string]CancelRequest{"nothing there": {}, "another's": {Filter: cluster.TaskFilter{UserID: "bob"}}, "only counted": {Dry: true}} {
			r.store.set(func(s *shakyStore) { s.putKey = db.ErrFull })
			_, _, err := r.c.CancelTasks(t.Context(), ann, q, counted(what, "x"))
			r.wantErr(what+", on a full disk", err, cluster.ErrUnavailable)
			r.store.set(func(s *shakyStore) { s.putKey = nil })
			first, kept, err := r.c.CancelTasks(t.Context(), ann, q, counted(what, "x"))
			if err != nil || kept != nil || first != (CancelReport{}) {
				t.Fatalf("%s: %+v %q %v", what, first, kept, err)
			}
			later := r.submit()
			_, kept, err = r.c.CancelTasks(t.Context(), ann, q, counted(what, "x"))
			if err != nil || string(kept) != fmt.Sprint(first) || r.task(later).Terminal() {
				t.Errorf("%s, repeated: %q %v, a later task is %s", what, kept, err, r.task(later).Status())
			}
			_, _, err = r.c.CancelTasks(t.Context(), ann, q, counted(what, "y"))
			r.wantErr(what+", another request", err, cluster.ErrInvalid)
			if _, _, err := r.c.CancelTasks(t.Context(), ann, CancelRequest{}, Named[CancelReport]{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.c.m.entering; len(n.keys) != 0 {
			t.Errorf("left behind: %+v", n)
		}
	})
}

// A store that fails in between leaves nothing half: the same request does the
// rest, and counts the whole.
func TestCancelManyGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if _, _, err := r.c.SubmitBatch(t.Context(), ann, entries(600, 0), true, Named[[]BatchItem]{}); err != nil {
			t.Fatal(err)
		}
		commits := 0
		r.store.set(func(s *shakyStore) {
			s.commit = func(writes []db.Write) []error {
				if commits++; commits == 2 {
					return slices.Repeat([]error{db.ErrFull}, len(writes))
				}
				return nil
			}
		})
		_, _, err := r.c.CancelTasks(t.Context(), ann, CancelRequest{}, counted("k", "x"))
		r.wantErr("the disk is full", err, cluster.ErrUnavailable)
		rest, kept, err := r.c.CancelTasks(t.Context(), ann, CancelRequest{}, counted("k", "x"))
		if err != nil || kept != nil || rest != (CancelReport{Matched: 600, Cancelled: 600}) {
			t.Fatalf("%+v %q %v", rest, kept, err)
		}
		if report, _, err := r.c.CancelTasks(t.Context(), ann, CancelRequest{Dry: true}, Named[CancelReport]{}); err != nil || report.Matched != 0 {
			t.Errorf("%+v left, %v", report, err)
		}
	})
}

// Two requests about the same tasks in different orders do not wait for each
// other.
func TestCancelManySideBySide(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		items, _, err := r.c.SubmitBatch(t.Context(), ann, hungry(cancelStep+44), true, Named[[]BatchItem]{})
		if err != nil {
			t.Fatal(err)
		}
		var named []cluster.TaskID
		for _, item := range items {
			named = append(named, item.ID)
		}
		gate := make(chan struct{}) // until both have decided about their first
		r.store.set(func(s *shakyStore) {
			s.commit = func([]db.Write) []error { <-gate; return nil }
		})
		ended := make(chan int, 2)
		for _, q := range []CancelRequest{{}, {IDs: named}} {
			go func() {
				report, _, err := r.c.CancelTasks(t.Context(), ann, q, Named[CancelReport]{})
				if err != nil {
					t.Error(err)
				}
				ended <- report.Cancelled
			}()
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if len(ended) != 2 {
			t.Fatalf("%d of 2 have ended", len(ended))
		}
		if n := <-ended + <-ended; n != len(items) {
			t.Errorf("%d cancelled of %d", n, len(items))
		}
	})
}
