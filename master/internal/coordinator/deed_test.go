package coordinator

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// deedFor is the context of a call, and its entry.
func (r *rig) deedFor(action string) (context.Context, *cluster.Deed) {
	d := &cluster.Deed{Entry: func(about cluster.TaskID, owner cluster.UserID) cluster.AuditEntry {
		return cluster.AuditEntry{Action: action, Target: string(about), Owner: owner}
	}}
	return cluster.WithDeed(r.t.Context(), d), d
}

// noted are the entries of an action.
func (r *rig) noted(action string) []cluster.AuditEntry {
	r.t.Helper()
	list, err := r.store.ListAudit(r.t.Context(), cluster.AuditFilter{Action: action}, 0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// signing is a call that changes tasks, and whose its entry tells.
type signing struct {
	do     func(ctx context.Context) error
	target cluster.TaskID // "*": of the task that it makes
	owner  cluster.UserID
}

// signings are all such calls, those about many tasks with so many; each finds its
// own tasks.
func (r *rig) signings(t *testing.T, many int) map[string]signing {
	fresh := func() cluster.TaskID {
		t.Helper()
		much := 5000.0
		v, err := r.c.Submit(t.Context(), ann, cluster.TaskRequest{Image: "i", CPU: &much}, Once{})
		if err != nil {
			t.Fatal(err)
		}
		return v.ID
	}
	over := func() cluster.TaskID {
		t.Helper()
		id := fresh()
		if _, err := r.c.Cancel(t.Context(), ann, id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	name := "new"
	toCancel, toEdit, toRetry := fresh(), fresh(), over()
	var others []cluster.TaskID
	for range many {
		others = append(others, fresh())
	}
	created := func(_ Created, err error) error { return err }
	viewed := func(_ TaskView, err error) error { return err }
	return map[string]signing{
		"submit": {func(ctx context.Context) error {
			return created(r.c.Submit(ctx, ann, cluster.TaskRequest{Image: "i"}, named("s", "x")))
		}, "*", ""},
		"retry":  {func(ctx context.Context) error { return created(r.c.Retry(ctx, admin, toRetry, Once{})) }, "*", "ann"},
		"cancel": {func(ctx context.Context) error { return viewed(r.c.Cancel(ctx, admin, toCancel)) }, toCancel, "ann"},
		"edit": {func(ctx context.Context) error {
			return viewed(r.c.EditTask(ctx, ann, toEdit, cluster.TaskChange{Name: &name}, 0))
		}, toEdit, "ann"},
		"batch": {func(ctx context.Context) error {
			_, _, err := r.c.SubmitBatch(ctx, ann, entries(many, 0), true, batched("b", "x"))
			return err
		}, "", ""},
		"cancel many": {func(ctx context.Context) error {
			_, _, err := r.c.CancelTasks(ctx, ann, CancelRequest{IDs: others}, counted("c", "x"))
			return err
		}, "", ""},
	}
}

// What a call does to tasks, and who did it, are one write: both are there or
// neither, however the store answers. Only of what its caller is told to be done is
// said that it is noted.
func TestF01EffectAndEntryAreOneWrite(t *testing.T) {
	for how, fault := range map[string]struct {
		err  error
		kept bool // the write is carried out all the same
	}{"stored": {nil, true}, "refused": {db.ErrUnavailable, false}, "lost": {db.ErrOutcomeUnknown, false}, "done": {db.ErrOutcomeUnknown, true}} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				many := 1 // that more than one write of a call is whole, nobody promises
				if fault.err == nil {
					many = 300
				}
				for action, call := range r.signings(t, many) {
					ctx, d := r.deedFor(action)
					before := r.state()
					r.store.fail(fault.err, fault.kept)
					err := call.do(ctx)
					if (err == nil) != (fault.err == nil) || d.Stored != (fault.err == nil) {
						t.Errorf("%s: %v, stored: %v", action, err, d.Stored)
					}
					synctest.Wait()
					got := r.noted(action)
					changed := r.state() != before
					if len(got) > 1 || fault.kept && len(got) == 0 || !fault.kept && (changed || len(got) > 0) {
						t.Errorf("%s: changed: %v, noted %+v", action, changed, got)
						continue
					}
					if len(got) == 0 {
						continue
					}
					if call.target == "*" {
						if _, err := r.store.Task(t.Context(), cluster.TaskID(got[0].Target)); err != nil {
							t.Errorf("%s: noted %+v, %v", action, got[0], err)
						}
					} else if got[0].Target != string(call.target) {
						t.Errorf("%s: noted %+v, want the target %q", action, got[0], call.target)
					}
					if got[0].Owner != call.owner {
						t.Errorf("%s: noted %+v, want the owner %q", action, got[0], call.owner)
					}
				}
			})
		})
	}
}

// state is what is stored of all tasks.
func (r *rig) state() string {
	r.t.Helper()
	tasks, _, err := r.store.ListTasks(r.t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	var all string
	for _, task := range tasks {
		all += fmt.Sprint(task.ID, " ", task.Version, "\n")
	}
	return all
}
