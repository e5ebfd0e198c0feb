package http

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

func TestBatch(t *testing.T) {
	e := newEdge(t)
	body := `{"tasks":[{"docker_image":"a","name":"x"},{"docker_image":"","cpu_required":"many"},{"docker_image":"b"},[]]%s}`
	got := decode[client.BatchReply](t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", fmt.Sprintf(body, "")), 200)
	if len(got.Items) != 4 || got.Accepted != 2 || got.Rejected != 2 || got.Items[0].TaskID != "task0001" || got.Items[2].TaskID != "task0002" {
		t.Fatalf("%+v", got)
	}
	if bad := got.Items[1]; bad.TaskID != "" || len(bad.Errors) != 2 || bad.Errors[0].Location != "cpu_required" || bad.Errors[1].Location != "docker_image" {
		t.Errorf("%+v", bad)
	}
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", fmt.Sprintf(body, `,"atomic":true`)), 422,
		"tasks[1].cpu_required", "tasks[1].docker_image", "tasks[3]")
	if n := len(e.core.Submits()); n != 2 {
		t.Errorf("%d tasks", n)
	}
}

func TestBadBatches(t *testing.T) {
	e := newEdge(t)
	task := `{"docker_image":"a"}`
	for body, want := range map[string]struct {
		status    int
		locations []string
	}{
		``:                             {400, nil},
		`[]`:                           {400, nil},
		`{"tasks":[` + task:            {400, nil},
		`{"tasks":[` + task + `]}{`:    {400, nil},
		`{"tasks":["` + "\xff" + `"]}`: {400, nil},
		`{"tasks":5}`:                  {422, []string{"tasks"}},
		`{"tasks":null}`:               {422, []string{"tasks"}},
		`{"tasks":[` + task + `],"tasks":[` + task + `]}`:                    {422, []string{"tasks"}},
		`{"tasks":[` + task + `],"atomic":"yes","surprise":{"a":[1,2]}}`:     {422, []string{"atomic", "surprise"}},
		`{"tasks":[` + strings.Repeat(task+",", 10_000) + task + `]}`:        {422, []string{"tasks"}},
		`{"tasks":[` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000): {400, nil},
	} {
		t.Run(fmt.Sprintf("%.40s", body), func(t *testing.T) {
			wantProblem(t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", body), want.status, want.locations...)
		})
	}
	if n := len(e.core.Submits()); n != 0 {
		t.Errorf("%d tasks came of it", n)
	}
}

// A batch may be larger than any other body, up to its own limit.
func TestBatchBodySize(t *testing.T) {
	e := newEdge(t)
	pad := strings.Repeat(" ", 2<<20)
	decode[client.BatchReply](t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", `{"tasks":[{"docker_image":"a"}]`+pad+`}`), 200)
	p := wantProblem(t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", `{"tasks":[`+strings.Repeat(" ", maxBatchBody)), 413)
	if p.Detail != "the body is larger than 67108864 bytes" {
		t.Error(p.Detail)
	}
}

// F23: what a batch is made to make of its bytes is bounded, whatever they are.
func TestF23BatchesThatSwell(t *testing.T) {
	e := newEdge(t)
	e.batchValues = 200_000
	many := func(n int, each func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(each(i))
		}
		return b.String()
	}
	unknown := func(i int) string { return fmt.Sprintf(`"%x":0`, i) }
	large := `{"docker_image":"a","env":{` + many(9, func(i int) string { return fmt.Sprintf(`"%d":%q`, i, strings.Repeat("x", 130_000)) }) + `}}`
	full := `{"docker_image":"a","args":[` + many(35_000, func(int) string { return `""` }) + `]}`
	for what, tt := range map[string]struct{ body, location string }{
		"members that nobody knows": {`{` + many(100_000, unknown) + `}`, ""},
		"a task too large alone":    {`{"tasks":[` + large + `]}`, "tasks[0]"},
		"many short values":         {`{"tasks":[` + many(6, func(int) string { return full }) + `]}`, "tasks"},
	} {
		p := decode[client.Problem](t, e.ask(t, doorSocket, "POST", "/api/tasks/batch", tt.body), 422)
		if n := len(p.Errors); tt.location != "" && (n != 1 || p.Errors[0].Location != tt.location) || n > maxFaults {
			t.Errorf("%s: %d errors, %s", what, n, p.Detail)
		}
	}
	wrong := `{` + many(150, unknown) + `}`
	w := e.ask(t, doorSocket, "POST", "/api/tasks/batch", `{"tasks":[{"docker_image":"a"},`+many(999, func(int) string { return wrong })+`]}`)
	named := 0
	for i, item := range decode[client.BatchReply](t, w, 200).Items {
		if named += len(item.Errors); i > 0 && len(item.Errors) == 0 {
			t.Errorf("%d: nothing is wrong", i)
		}
	}
	if named > 11_000 {
		t.Errorf("%d faults in one reply", named)
	}
}

// F02: on the real core, a repeat of a batch and of a cancel gets the first
// reply, byte for byte, and makes nothing new.
func TestF02BulkRepeats(t *testing.T) {
	e, store := withCore(t)
	post := func(path, key, body string) (int, string) {
		w := e.ask(t, doorSocket, "POST", path, body, keyHeader+key)
		return w.Code, replyOf(w)
	}
	batch := `{"tasks":[` + strings.Repeat(`{"docker_image":"a","cpu_required":5000},`, 999) + `{"docker_image":""}]}`
	start := time.Now()
	code, first := post("/api/tasks/batch", "k", batch)
	t.Logf("1,000 tasks in %s", time.Since(start))
	if _, again := post("/api/tasks/batch", "k", batch); code != 200 || again != first {
		t.Fatalf("%d: %.200s\n%.200s", code, first, again)
	}
	for _, other := range []string{
		`{"tasks":[{"docker_image":"b"}]}`, strings.TrimSuffix(batch, "}") + `,"atomic":true}`, strings.Replace(batch, `{"docker_image":""}`, `{"a":1}`, 1),
	} {
		if code, _ := post("/api/tasks/batch", "k", other); code != 422 {
			t.Errorf("another batch with the key: %d", code)
		}
	}
	if _, again := post("/api/tasks/batch", "k", strings.ReplaceAll(batch, ",", " , ")); again != first {
		t.Errorf("with more space: %.200s", again)
	}
	counts, err := store.CountTasks(t.Context(), cluster.TaskFilter{})
	must(t, err)
	if counts[cluster.StatusQueued] != 999 {
		t.Errorf("%v", counts)
	}
	code, first = post("/api/tasks/cancel", "k", `{"filter":{"status":["queued"]}}`)
	if !strings.Contains(first, `{"dry_run":false,"matched":999,"cancelled":999,"requested":0}`) || code != 200 {
		t.Fatalf("%d: %s", code, first)
	}
	decode[client.Task](t, e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"a"}`), 201)
	if _, again := post("/api/tasks/cancel", "k", `{"filter":{"status":["queued"]}}`); again != first {
		t.Errorf("%s\n%s", first, again)
	}
	const nothing = `{"filter":{"name":"nobody"}}`
	code, first = post("/api/tasks/cancel", "k2", nothing)
	decode[client.Task](t, e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"a","name":"nobody"}`), 201)
	if _, again := post("/api/tasks/cancel", "k2", nothing); code != 200 || again != first || !strings.Contains(first, `"matched":0`) {
		t.Errorf("%d: %s\n%s", code, first, again)
	}
	left := e.ask(t, doorSocket, "POST", "/api/tasks/cancel", `{"filter":{},"dry_run":true}`)
	if got := decode[client.CancelReply](t, left, 200); got.Matched != 2 || !got.DryRun || got.Cancelled != 0 {
		t.Errorf("%+v", got)
	}
}

func TestCancelTasks(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "ann", cluster.TaskRequest{Name: "a1", Labels: map[string]string{"team": "blue"}})
	e.submit(t, "ann", cluster.TaskRequest{Name: "b1"})
	e.submit(t, "bob", cluster.TaskRequest{Name: "a2"})
	must(t, e.core.Run("task0001", "w1"))
	ann := client.UserHeader + ": ann"
	for _, tt := range []struct {
		body string
		want client.CancelReply
	}{
		{`{"filter":{"name":"a"},"dry_run":true}`, client.CancelReply{DryRun: true, Matched: 1}},
		{`{"filter":{"user_id":"bob"}}`, client.CancelReply{}},
		{`{"filter":{"label":"team=blue","status":"running,queued"},"dry_run":true}`, client.CancelReply{DryRun: true, Matched: 1}},
		{`{"filter":{"label":["team=blue"],"labels":{"team":"blue"}},"dry_run":true}`, client.CancelReply{DryRun: true, Matched: 1}},
		{`{"filter":{"label":"team=red"},"dry_run":true}`, client.CancelReply{DryRun: true}},
		{`{"filter":{"labels":{"team":"blue"},"status":["running"],"since":"2020-01-01T00:00:00Z"}}`, client.CancelReply{Matched: 1, Requested: 1}},
		{`{"filter":{"status":["queued","assigned"]}}`, client.CancelReply{Matched: 1, Cancelled: 1}},
	} {
		if got := decode[client.CancelReply](t, e.ask(t, doorSocket, "POST", "/api/tasks/cancel", tt.body, ann), 200); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.body, got, tt.want)
		}
	}
	for body, locations := range map[string][]string{
		`{}`:              {"filter"},
		`{"filter":null}`: {"filter"},
		`{"filter":{"status":["done"],"since":"yesterday","until":"x","name":"\u001b","nonsense":1}}`: {"filter.nonsense", "filter.status[0]", "filter.since", "filter.until", "filter.name"},
		`{"filter":{"status":["done"],"since":"yesterday","until":"x","name":"\u001b"}}`:              {"filter.status[0]", "filter.since", "filter.until", "filter.name"},
		`{"filter":{"status":"queued,done","label":"a","nonsense":1}}`:                                {"filter.status[0]", "filter.label[0]", "filter.nonsense"},
		`{"filter":{"status":"","label":"","labels":{"a":"b"}}}`:                                      {"filter.status", "filter.label"},
		`{"filter":{"label":["a=c","a=d","=e"]}}`:                                                     {"filter.label[1]", "filter.label[2]"},
		`{"filter":{"label":"a=c","labels":{"a":"b"}}}`:                                               {"filter.label[0]"},
		`{"filter":{"label":5,"status":{"a":1}}}`:                                                     {"filter.label", "filter.status"},
		`{"filter":{"task_ids":["a"],"label":"b=c"}}`:                                                 {"filter.task_ids"},
		`{"filter":{"task_ids":["a"],"name":"b"}}`:                                                    {"filter.task_ids"},
		`{"filter":{"task_ids":[]},"dry_run":true}`:                                                   {"filter.task_ids"},
		`{"filter":{"status":[ ],"labels":{ },"worker_id":"","user_id":"","name":"","q":"","since":"","until":""}}`: {
			"filter.status", "filter.labels", "filter.worker_id", "filter.user_id", "filter.name", "filter.q", "filter.since", "filter.until",
		},
		`{"filter":{"labels":{` + strings.Join(distinct(129), ",") + `}}}`:  {"filter.labels"},
		`{"filter":{"task_ids":[` + strings.Repeat(`"a",`, 1000) + `"a"]}}`: {"filter.task_ids"},
	} {
		wantProblem(t, e.ask(t, doorSocket, "POST", "/api/tasks/cancel", body), 422, locations...)
	}
}

// distinct are members of an object.
func distinct(n int) (members []string) {
	for i := range n {
		members = append(members, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return members
}

// Labels beyond what a task can have are named as such, and not looked for.
func TestTooManyLabels(t *testing.T) {
	e, _ := withCore(t)
	query := func(n int) string {
		var labels []string
		for i := range n {
			labels = append(labels, fmt.Sprintf("label=k%d%%3Dv", i))
		}
		return "?" + strings.Join(labels, "&")
	}
	for _, path := range []string{"/api/tasks", "/api/export"} {
		wantProblem(t, e.ask(t, doorSocket, "GET", path+query(4000), ""), 422, "label")
		if w := e.ask(t, doorSocket, "GET", path+query(128), ""); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
