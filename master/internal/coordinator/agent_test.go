package coordinator

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/scheduler"
)

// idle is a policy that places nothing: all is left to agents.
type idle struct{}

func (idle) Place(scheduler.Need, []scheduler.Candidate, cluster.WorkerID) (int, bool) {
	return 0, false
}

var agent = cluster.Principal{UserID: cluster.LocalUser, Role: cluster.RoleAdmin, Scopes: []cluster.Scope{cluster.ScopeAgent}}

// An agent sees who waits and where there is room, and what it proposes is placed
// as by the scheduler itself, in its order and as far as there is room.
func TestAgentPlaces(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.policy = idle{}
		r.restart()
		r.join("w1", "s1")
		r.join("w2", "s2")
		synctest.Wait()
		low, high := r.submit(), r.submit()
		if _, err := r.c.EditTask(t.Context(), ann, high, cluster.TaskChange{Priority: ptr(90)}, 0); err != nil {
			t.Fatal(err)
		}
		state, err := r.c.ClusterState(t.Context(), agent)
		if err != nil || len(state.Workers) != 2 || len(state.Waiting) != 2 || state.Waiting[0].ID != high || state.Waiting[1].ID != low || state.Revision == 0 {
			t.Fatalf("%+v, %v", state, err)
		}
		errs, err := r.c.Place(t.Context(), agent, []Placement{{high, 1, "w2"}, {high, 1, "w1"}, {low, 2, "w1"}, {"none", 1, "w1"}, {low, 1, "none"}, {low, 1, "w1"}})
		if err != nil || len(errs) != 6 || errs[0] != nil || errs[5] != nil {
			t.Fatalf("%v, %v", errs, err)
		}
		r.wantErr("placed a moment ago", errs[1], cluster.ErrConflict)
		r.wantErr("another attempt", errs[2], cluster.ErrConflict)
		r.wantErr("no such task", errs[3], cluster.ErrNotFound)
		r.wantErr("no such worker", errs[4], cluster.ErrNotFound)
		synctest.Wait()
		if at := r.task(high); at.WorkerID != "w2" || at.State != cluster.StateAssigned {
			t.Fatalf("%+v", at)
		}
		if got := r.client.order(t, 0); got.Ref != r.task(high).Ref() && got.Ref != r.task(low).Ref() {
			t.Fatalf("%+v was sent", got)
		}
		later, err := r.c.ClusterState(t.Context(), agent)
		if err != nil || len(later.Waiting) != 0 || later.Revision <= state.Revision {
			t.Fatalf("%+v, %v", later, err)
		}
	})
}

func TestAgentIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.policy = idle{}
		r.restart()
		r.join("w1", "s1")
		synctest.Wait()
		id := r.submit()
		large, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "a", CPU: ptr(4096.0)}, Once{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []cluster.Principal{ann, {UserID: "root", Role: cluster.RoleAdmin, Scopes: []cluster.Scope{cluster.ScopeAdmin}}} {
			_, err := r.c.ClusterState(t.Context(), p)
			r.wantErr("without the scope", err, cluster.ErrDenied)
			_, err = r.c.Place(t.Context(), p, []Placement{{id, 1, "w1"}})
			r.wantErr("without the scope", err, cluster.ErrDenied)
		}
		errs, err := r.c.Place(t.Context(), agent, []Placement{{large.ID, 1, "w1"}})
		if err != nil || len(errs) != 1 || !errors.Is(errs[0], cluster.ErrConflict) || !strings.Contains(errs[0].Error(), "cpu: asked 4096") {
			t.Fatalf("%v, %v", errs, err)
		}
		r.store.fail(db.ErrUnavailable, false)
		errs, err = r.c.Place(t.Context(), agent, []Placement{{id, 1, "w1"}, {large.ID, 1, "w1"}})
		if err != nil || len(errs) != 2 {
			t.Fatalf("%v, %v", errs, err)
		}
		r.wantErr("without the store", errs[0], cluster.ErrUnavailable)
		r.wantErr("too large", errs[1], cluster.ErrConflict)
		if now := r.task(id); now.State != cluster.StateQueued {
			t.Fatalf("half placed: %+v", now)
		}
		if errs, err = r.c.Place(t.Context(), agent, []Placement{{id, 1, "w1"}}); err != nil || errs[0] != nil {
			t.Fatalf("once more: %v, %v", errs, err)
		}
	})
}
