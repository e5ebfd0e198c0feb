package http

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// ndjson decodes each line; none may be anything else.
func ndjson[T any](t *testing.T, body string) (out []T) {
	t.Helper()
	for line := range strings.Lines(body) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, one)
	}
	return out
}

const acceptLines = "Accept: " + ndjsonType

// The timeline is the same as a list and as lines.
func TestEventsAsLines(t *testing.T) {
	e := newEdge(t)
	id := string(e.submit(t, "ann", cluster.TaskRequest{}))
	must(t, e.core.Run(cluster.TaskID(id), "w1"))
	path := "/api/tasks/" + id + "/events"
	list := decode[client.List[client.Event]](t, e.ask(t, doorSocket, "GET", path+"?limit=1000", ""), 200)
	w := e.ask(t, doorSocket, "GET", path+"?limit=1", "", acceptLines)
	if got := w.Header().Get("Content-Type"); w.Code != 200 || got != ndjsonType {
		t.Fatalf("%d, %q", w.Code, got)
	}
	got := ndjson[client.Event](t, w.Body.String())
	if len(got) < 5 || fmt.Sprint(got) != fmt.Sprint(list.Items) && asJSON(t, got) != asJSON(t, list.Items) {
		t.Errorf("as lines %v, as a list %v", got, list.Items)
	}
	for n, event := range got {
		if event.Seq != n+1 || event.Time.IsZero() || event.Cause == "" || event.Attempt != 1 || event.State == "running" && event.WorkerID != "w1" {
			t.Errorf("event %d is %+v", n, event)
		}
	}
	wantProblem(t, e.ask(t, doorSocket, "GET", path, "", acceptLines, client.UserHeader+": bob"), 404)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}

// An export has each of one's own tasks once, over as many pages as there are,
// and no one else's.
func TestExport(t *testing.T) {
	e := newEdge(t)
	const n = 2*exportStep + 1
	var want []string
	for i := range n {
		want = append(want, string(e.submit(t, "ann", cluster.TaskRequest{Name: fmt.Sprint("t", i)})))
	}
	slices.Reverse(want)
	his := string(e.submit(t, "bob", cluster.TaskRequest{}))
	ids := func(query string, headers ...string) (ids []string) {
		t.Helper()
		w := e.ask(t, doorSocket, "GET", "/api/export"+query, "", headers...)
		if w.Code != 200 || w.Header().Get("Content-Type") != ndjsonType {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, line := range ndjson[client.ExportedTask](t, w.Body.String()) {
			ids = append(ids, line.Task.TaskID)
			if len(line.Events) != 2 || line.Events[0].State != "created" {
				t.Errorf("task %s has the events %v", line.Task.TaskID, line.Events)
			}
		}
		return ids
	}
	if got := ids("", client.UserHeader+": ann"); !slices.Equal(got, want) {
		t.Errorf("%d of %d tasks", len(got), n)
	}
	if got := ids("", client.UserHeader+": bob"); !slices.Equal(got, []string{his}) {
		t.Errorf("bob's are %v", got)
	}
	if got := ids("?user_id=bob"); !slices.Equal(got, []string{his}) {
		t.Errorf("bob's as the administrator are %v", got)
	}
	if got := ids("?name=t400"); len(got) != 1 {
		t.Errorf("of one name there are %v", got)
	}
	wantProblem(t, e.ask(t, doorSocket, "GET", "/api/export?limit=5", ""), 422, "limit")
	wantProblem(t, e.ask(t, doorSocket, "GET", "/api/export?label=x", ""), 422, "label")
}
