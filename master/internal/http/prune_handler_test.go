package http

import (
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func TestPrune(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "ann", cluster.TaskRequest{})
	e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Edit("task0001", func(v *coordinator.TaskView, now time.Time) (err error) {
		v.Task, _, err = v.Task.RequestCancel("ann", now)
		return err
	}))
	prune := func(body string) client.PruneReport {
		t.Helper()
		return decode[client.PruneReport](t, e.ask(t, doorSocket, "POST", "/api/cluster/prune", body), 200)
	}
	for _, c := range []struct {
		body string
		want client.PruneReport
	}{
		{`{}`, client.PruneReport{}},
		{`{"tasks":"1d"}`, client.PruneReport{}},
		{`{"tasks":"0s","dry_run":true}`, client.PruneReport{DryRun: true, Tasks: 1}},
		{`{"tasks":"0s"}`, client.PruneReport{Tasks: 1}},
		{`{"tasks":"0s"}`, client.PruneReport{}},
	} {
		if got := prune(c.body); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, got, c.want)
		}
	}
	wantProblem(t, e.ask(t, doorSocket, "GET", "/api/tasks/task0001", ""), 404)
	for body, field := range map[string]string{
		`{"tasks":"old"}`: "tasks", `{"logs":"-1h"}`: "logs", `{"files":""}`: "files", `{"bytes":-1}`: "bytes", `{"bytes":"1g"}`: "bytes",
		`{"everything":true}`: "everything", `{"tasks":"1d","tasks":"2d"}`: "tasks",
	} {
		wantProblem(t, e.ask(t, doorSocket, "POST", "/api/cluster/prune", body), 422, field)
	}
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/cluster/prune", `{}`, client.UserHeader+": ann"), 403)
}
