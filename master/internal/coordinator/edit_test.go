package coordinator

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func ptr[T any](v T) *T { return &v }

// A waiting task can be changed, also across a restart, and then takes its new
// place in the queue.
func TestEditOfAWaitingTask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.submit()
		time.Sleep(time.Millisecond) // on the bubble's clock: the second is younger
		second := r.submit()
		if v, _ := r.c.Task(t.Context(), ann, second); v.Waiting.QueuePosition != 2 {
			t.Fatalf("second at %d", v.Waiting.QueuePosition)
		}
		v, err := r.c.EditTask(t.Context(), ann, second, cluster.TaskChange{
			Name: ptr("urgent"), Priority: ptr(90), Timeout: ptr("90s"),
		}, r.task(second).Version)
		if err != nil || v.Spec.Name != "urgent" || v.Spec.Priority != 90 || v.Waiting.QueuePosition != 1 {
			t.Fatalf("%+v, %v", v.Spec, err)
		}
		last := v.Events[len(v.Events)-1]
		if last.Cause != "edited" || last.State != cluster.StateQueued || v.Attempt != 1 {
			t.Fatalf("%+v", last)
		}
		r.restart()
		if now := r.task(second); now.Spec.Timeout.Seconds() != 90 || now.Version != v.Version {
			t.Fatalf("after a restart: %+v", now.Spec)
		}
		if v, _ := r.c.Task(t.Context(), ann, first); v.Waiting.QueuePosition != 2 {
			t.Fatalf("after a restart the other one is at %d", v.Waiting.QueuePosition)
		}
	})
}

func TestEditRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.submit()
		version := r.task(id).Version
		try := func(p cluster.Principal, c cluster.TaskChange, version int64) error {
			_, err := r.c.EditTask(t.Context(), p, id, c, version)
			return err
		}
		r.wantErr("another's", try(bob, cluster.TaskChange{Priority: ptr(1)}, 0), cluster.ErrNotFound)
		r.wantErr("another's, and wrong", try(bob, cluster.TaskChange{Priority: ptr(101)}, 0), cluster.ErrNotFound)
		r.wantErr("without the scope", try(cluster.Principal{UserID: "ann", Role: cluster.RoleUser, Scopes: []cluster.Scope{cluster.ScopeRead}}, cluster.TaskChange{}, 0), cluster.ErrDenied)
		r.wantErr("stale", try(ann, cluster.TaskChange{Priority: ptr(1)}, version+1), cluster.ErrPrecondition)
		err := try(ann, cluster.TaskChange{Name: ptr("a\x1bb"), Priority: ptr(-1), Timeout: ptr("0s")}, version)
		var invalid *cluster.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Fields) != 3 {
			t.Fatalf("%v", err)
		}
		if err := try(ann, cluster.TaskChange{Priority: ptr(cluster.DefaultPriority)}, version); err != nil || r.task(id).Version != version {
			t.Fatalf("no change is written: %v", err)
		}
		r.store.fail(db.ErrUnavailable, false)
		r.wantErr("without the store", try(ann, cluster.TaskChange{Priority: ptr(1)}, 0), cluster.ErrUnavailable)
		if now := r.task(id); now.Spec.Priority != cluster.DefaultPriority || now.Version != version {
			t.Fatalf("half changed: %+v", now.Spec)
		}
		r.join("w", "s1")
		synctest.Wait()
		r.wantErr("once placed", try(ann, cluster.TaskChange{Priority: ptr(1)}, 0), cluster.ErrConflict)
		if err := r.complete(r.client.order(t, 0).Ref, "s1"); err != nil {
			t.Fatal(err)
		}
		r.wantErr("once over", try(ann, cluster.TaskChange{Priority: ptr(1)}, 0), cluster.ErrConflict)
		r.wantErr("once over and stale", try(ann, cluster.TaskChange{}, version), cluster.ErrPrecondition)
	})
}

// However often a task is edited: its timeline does not grow by that, and does
// not tell the owner who else there is.
func TestManyEditsAreOneEvent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.submit()
		for n := range 50 {
			if _, err := r.c.EditTask(t.Context(), admin, id, cluster.TaskChange{Priority: ptr(n)}, 0); err != nil {
				t.Fatal(err)
			}
		}
		task := r.task(id)
		last := task.Events[len(task.Events)-1]
		if len(task.Events) != 3 || last.Seq != 3 || last.Message != "priority 49, was 48 by an administrator" {
			t.Fatalf("%+v", task.Events)
		}
		v, err := r.c.Cancel(t.Context(), admin, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range v.Events {
			if strings.Contains(e.Message, string(admin.UserID)) {
				t.Errorf("%+v", e)
			}
		}
	})
}

func TestRetryIsANewTaskOfTheCallers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.submit()
		if _, err := r.c.Retry(t.Context(), ann, id, Once{}); !errors.Is(err, cluster.ErrConflict) {
			t.Fatalf("while it waits: %v", err)
		}
		r.join("w", "s1")
		if err := r.complete(r.client.order(t, 0).Ref, "s1"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Retry(t.Context(), bob, id, Once{}); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("another's: %v", err)
		}
		v, err := r.c.Retry(t.Context(), admin, id, Once{})
		if err != nil || v.ID == id || v.RetryOf != id || v.UserID != cluster.LocalUser || v.Spec.Image != "i" || v.Attempt != 1 {
			t.Fatalf("%+v, %v", v.Task, err)
		}
		r.restart()
		if again := r.task(v.ID); again.RetryOf != id {
			t.Fatalf("after a restart: %+v", again)
		}
	})
}
