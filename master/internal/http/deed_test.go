package http

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/db"
)

// signingCore stores what calls do together with their entries, as the coordinator
// does.
type signingCore struct {
	Core
	log db.Audit
}

// sign stores the entry of a call that took effect.
func (c signingCore) sign(ctx context.Context, err error, about cluster.TaskID, owner cluster.UserID) {
	d := cluster.DeedOf(ctx)
	if d == nil || err != nil {
		return
	}
	d.Stored = c.log.AppendAudit(ctx, []cluster.AuditEntry{d.Entry(about, owner)}) == nil
}

func (c signingCore) Submit(ctx context.Context, p cluster.Principal, r cluster.TaskRequest, once coordinator.Once) (coordinator.Created, error) {
	made, err := c.Core.Submit(ctx, p, r, once)
	c.sign(ctx, err, made.ID, "")
	return made, err
}

func (c signingCore) Retry(ctx context.Context, p cluster.Principal, id cluster.TaskID, once coordinator.Once) (coordinator.Created, error) {
	made, err := c.Core.Retry(ctx, p, id, once)
	c.sign(ctx, err, made.ID, c.ownerOf(ctx, p, id))
	return made, err
}

func (c signingCore) Cancel(ctx context.Context, p cluster.Principal, id cluster.TaskID) (coordinator.TaskView, error) {
	v, err := c.Core.Cancel(ctx, p, id)
	c.sign(ctx, err, id, v.UserID)
	return v, err
}

func (c signingCore) EditTask(ctx context.Context, p cluster.Principal, id cluster.TaskID, change cluster.TaskChange, version int64) (coordinator.TaskView, error) {
	v, err := c.Core.EditTask(ctx, p, id, change, version)
	c.sign(ctx, err, id, v.UserID)
	return v, err
}

func (c signingCore) DeleteFiles(ctx context.Context, p cluster.Principal, id cluster.TaskID) error {
	owner := c.ownerOf(ctx, p, id)
	err := c.Core.DeleteFiles(ctx, p, id)
	c.sign(ctx, err, id, owner)
	return err
}

func (c signingCore) SubmitBatch(ctx context.Context, p cluster.Principal, entries []coordinator.BatchEntry, atomic bool,
	once coordinator.Named[[]coordinator.BatchItem],
) ([]coordinator.BatchItem, []byte, error) {
	items, kept, err := c.Core.SubmitBatch(ctx, p, entries, atomic, once)
	if err == nil {
		once.Done(items)
	}
	c.sign(ctx, err, "", "")
	return items, kept, err
}

func (c signingCore) CancelTasks(ctx context.Context, p cluster.Principal, r coordinator.CancelRequest,
	once coordinator.Named[coordinator.CancelReport],
) (coordinator.CancelReport, []byte, error) {
	report, kept, err := c.Core.CancelTasks(ctx, p, r, once)
	if err == nil {
		once.Done(report)
	}
	c.sign(ctx, err, "", "")
	return report, kept, err
}

func (c signingCore) ownerOf(ctx context.Context, p cluster.Principal, id cluster.TaskID) cluster.UserID {
	v, _ := c.Task(ctx, p, id) // nobody's, when it is not there
	return v.UserID
}

// An entry that is stored with what the call does says the same as one that follows
// it, and none follows it; of a call that fails one does.
func TestEntriesStoredWithTheEffect(t *testing.T) {
	log := func(signs bool) (lines []string) {
		e := newEdge(t)
		root, rootIn := e.signUp(t, "root")
		bob, bobIn := e.signUp(t, "bob")
		waiting := e.submit(t, cluster.UserID(bobIn.User.ID), cluster.TaskRequest{})
		ended := e.submit(t, cluster.UserID(bobIn.User.ID), cluster.TaskRequest{})
		code := 0
		for _, err := range []error{e.core.Run(ended, "w"), e.core.Finish(ended, &code, "", ""), e.core.Publish(ended, cluster.File{Path: "f", Size: 1})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if signs {
			e.Server.core = signingCore{e.core, e.store}
		}
		e.entries(t, "") // which is noted itself, the first time
		before := len(e.entries(t, ""))
		for n, call := range []struct{ method, path, body, who string }{
			{"POST", "/api/tasks", `{"docker_image":"alpine"}`, bob},
			{"POST", "/api/tasks", `{"docker_image":""}`, bob},
			{"POST", "/api/tasks/batch", `{"tasks":[{"docker_image":"alpine"},{"docker_image":""}]}`, bob},
			{"PATCH", "/api/tasks/" + string(waiting), `{"priority":7,"name":"x"}`, root},
			{"DELETE", "/api/tasks/" + string(waiting), "", root},
			{"DELETE", "/api/tasks/" + string(waiting), "", bob},
			{"POST", "/api/tasks/" + string(ended) + "/retry", "", root},
			{"POST", "/api/tasks/" + string(ended) + "/retry", "", bob},
			{"POST", "/api/tasks/cancel", `{"filter":{"status":["queued"]}}`, root},
			{"DELETE", "/api/files/" + string(ended), "", root},
			{"DELETE", "/api/tasks/none", "", bob},
		} {
			e.from(t, elsewhere, call.method, call.path, call.body, call.who, fmt.Sprint("X-Request-Id: r", n))
		}
		all := e.entries(t, "?limit=1000")
		for _, entry := range all[:len(all)-before] {
			if entry.Time.IsZero() || entry.RequestID == "" {
				t.Errorf("%+v", entry)
			}
			line := fmt.Sprintf("%s %s %s %q of %q: %q %s %d %s %s", entry.UserID, entry.Via, entry.Action, entry.Target, entry.Owner,
				entry.Detail, entry.Outcome, entry.Status, entry.RequestID, entry.Address)
			lines = append(lines, strings.NewReplacer(rootIn.User.ID, "root", bobIn.User.ID, "bob").Replace(line))
		}
		slices.Reverse(lines)
		return lines
	}
	follows, stored := log(false), log(true)
	if len(stored) < 10 || fmt.Sprint(stored) != fmt.Sprint(follows) {
		t.Errorf("stored with the effect:\n%s\nfollowing it:\n%s", strings.Join(stored, "\n"), strings.Join(follows, "\n"))
	}
}
