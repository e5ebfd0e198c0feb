package http

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func TestSubmit(t *testing.T) {
	e := newEdge(t)
	body := `{"docker_image":"alpine:3.20","args":["echo","hi"],"name":"n","cpu_required":0.5,"memory_required":64,
		"storage_required":1e2,"gpu_required":1,"env":{"A":"b"},"workdir":"/srv","timeout":"90s","grace_period":"1s","priority":7,
		"max_retries":1,"max_reschedules":2,"labels":{"team":"blue"},"constraints":{"zone":"a"},"target_worker_id":"w1",
		"network":"none","shm_size":16,"inputs":[{"path":"a","content":"x"},{"path":"b","content":"AAE=","encoding":"base64"}]}`
	w := e.ask(t, doorSocket, "POST", "/api/tasks", body)
	if w.Header().Get("Location") != "/api/tasks/task0001" {
		t.Errorf("Location %q", w.Header().Get("Location"))
	}
	decode[client.Task](t, w, 201)
	var pretty bytes.Buffer
	must(t, json.Indent(&pretty, w.Body.Bytes(), "", "  "))
	golden(t, "testdata/submitted.json", pretty.Bytes())
	got := e.core.Submits()[0]
	if string(got.Inputs[1].Content) != "\x00\x01" || *got.Storage != 100 || got.TargetWorker != "w1" {
		t.Errorf("%+v", got)
	}
}

// The reply of a finished task, to the letter.
func TestTaskShape(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{Command: "exit 7", Timeout: "2s"})
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Edit(id, func(v *coordinator.TaskView, _ time.Time) error {
		v.Usage = cluster.Usage{CPUSeconds: 1.5, MemoryPeak: 20, LogBytes: 3, OutputBytes: 4}
		return nil
	}))
	running := e.get(t, "/api/tasks/task0001")
	must(t, e.core.Finish(id, ptr(7), cluster.FailureExit, "exited with code 7"))
	var pretty bytes.Buffer
	must(t, json.Indent(&pretty, running.Body.Bytes(), "", "  "))
	must(t, json.Indent(&pretty, e.get(t, "/api/tasks/task0001").Body.Bytes(), "", "  "))
	must(t, json.Indent(&pretty, e.get(t, "/api/tasks/task0001/events").Body.Bytes(), "", "  "))
	golden(t, "testdata/task.json", pretty.Bytes())
}

// longEnv are n variables of 130,000 bytes.
func longEnv(n int) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`"%d":%q`, i, strings.Repeat("x", 130_000)))
	}
	return strings.Join(members, ",")
}

// Input files may be 1 MiB together, also where JSON takes more for them, beside
// all else that a task may have.
func TestInputsOfOneMebibyte(t *testing.T) {
	e := newEdge(t)
	whole := strings.Repeat("x", cluster.MaxInputBytes)
	coded := base64.StdEncoding.EncodeToString([]byte(whole))
	decode[client.Task](t, e.ask(t, doorSocket, "POST", "/api/tasks",
		`{"docker_image":"alpine","env":{`+longEnv(8)+`},"inputs":[{"path":"a","encoding":"base64","content":"`+coded+`"}]}`), 201)
	half := whole[:len(whole)/2]
	reply := decode[client.BatchReply](t, e.ask(t, doorSocket, "POST", "/api/tasks/batch",
		`{"tasks":[{"docker_image":"alpine","inputs":[{"path":"a","content":"`+half+`"},{"path":"b","content":"`+half+`"}]}]}`), 200)
	if reply.Accepted != 1 {
		t.Errorf("%+v", reply)
	}
	for _, r := range e.core.Submits() {
		var got []byte
		for _, f := range r.Inputs {
			got = append(got, f.Content...)
		}
		if string(got) != whole {
			t.Errorf("%d bytes arrived", len(got))
		}
	}
}

func TestBadBodies(t *testing.T) {
	e := newEdge(t)
	tests := []struct {
		body      string
		status    int
		locations []string
	}{
		{``, 400, nil},
		{`nonsense`, 400, nil},
		{`{"docker_image":"alpine"`, 400, nil},
		{`{"docker_image":"alpine"} {}`, 400, nil},
		{`{"docker_image":"al` + "\xff" + `pine"}`, 400, nil},
		{`[]`, 400, nil},
		{`null`, 400, nil},
		{`"x"`, 400, nil},
		{`{"cpu_required": NaN}`, 400, nil},
		{`{"docker_image":` + strings.Repeat("[", 5000), 400, nil},
		{strings.Repeat("a", maxTaskBody+1), 413, nil},
		{`{"docker_image":"alpine","env":{` + longEnv(9) + `}}`, 413, nil},
		{`{"docker_image":"alpine","inputs":[{"path":"a","content":"` + strings.Repeat("x", cluster.MaxInputBytes+1) + `"}]}`, 422, []string{"inputs"}},
		{`{}`, 422, []string{"docker_image"}},
		{`{"docker_image":null}`, 422, []string{"docker_image"}},
		{`{"docker_image":5}`, 422, []string{"docker_image"}},
		{`{"Docker_Image":"alpine"}`, 422, []string{"Docker_Image", "docker_image"}},
		{`{"docker_image":"alpine","docker_image":"busybox"}`, 422, []string{"docker_image"}},
		{`{"docker_image":"alpine","surprise":1}`, 422, []string{"surprise"}},
		{`{"docker_image":"alpine","a\u001b[2J":1}`, 422, []string{`"a\x1b[2J"`}},
		{`{"docker_image":"alpine","cpu_required":"1"}`, 422, []string{"cpu_required"}},
		{`{"docker_image":"alpine","cpu_required":1e999}`, 422, []string{"cpu_required"}},
		{`{"docker_image":"alpine","cpu_required":1e308,"memory_required":1e308,"gpu_required":1.5}`, 422, []string{"cpu_required", "memory_required", "gpu_required"}},
		{`{"docker_image":"alpine","priority":-1,"max_retries":-1}`, 422, []string{"priority", "max_retries"}},
		{`{"docker_image":"alpine","args":"echo"}`, 422, []string{"args"}},
		{`{"docker_image":"alpine","args":["a",1,null]}`, 422, []string{"args[1]", "args[2]"}},
		{`{"docker_image":"alpine","args":["a\u0000"]}`, 422, []string{"args[0]"}},
		{`{"docker_image":"alpine","env":{"A":1,"B":null,"C":"ok","C":"again"}}`, 422, []string{"env.A", "env.B", "env.C"}},
		{`{"docker_image":"alpine","env":[]}`, 422, []string{"env"}},
		{`{"docker_image":"alpine","labels":{"a":"\u001b"}}`, 422, []string{"labels.a"}},
		{
			`{"docker_image":"alpine","inputs":[{"path":"a","content":"%","encoding":"base64"},{"path":"b","content":"","encoding":"rot13"},{"content":"c"},{"path":"d","mode":7}]}`,
			422,
			[]string{"inputs[0].content", "inputs[1].encoding", "inputs[2].path", "inputs[3].mode"},
		},
		{`{"docker_image":{"$gt":""},"name":"a\nb","timeout":"x","network":"host"}`, 422, []string{"docker_image", "name", "timeout", "network"}},
		{`{"docker_image":"alpine","command":"a","args":["b"]}`, 422, []string{"command"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.60s", tt.body), func(t *testing.T) {
			wantProblem(t, e.ask(t, doorSocket, "POST", "/api/tasks", tt.body), tt.status, tt.locations...)
		})
	}
	if n := len(e.core.Submits()); n != 0 {
		t.Errorf("%d tasks came of it", n)
	}
}

func TestBadQueries(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "local", cluster.TaskRequest{})
	tests := []struct {
		target    string
		locations []string
	}{
		{"/api/tasks?limit=0", []string{"limit"}},
		{"/api/tasks?limit=1001", []string{"limit"}},
		{"/api/tasks?limit=-5&since=yesterday&status=done", []string{"limit", "since", "status[0]"}},
		{"/api/tasks?limit=NaN", []string{"limit"}},
		{"/api/tasks?limit=1e308", []string{"limit"}},
		{"/api/tasks?limit=", []string{"limit"}},
		{"/api/tasks?limit=5&limit=6", []string{"limit"}},
		{"/api/tasks?stauts=queued", []string{"stauts"}},
		{"/api/tasks?status=queued,nonsense", []string{"status[1]"}},
		{"/api/tasks?failure=bad", []string{"failure"}},
		{"/api/tasks?label=x", []string{"label"}},
		{"/api/tasks?sort=state", []string{"sort"}},
		{"/api/tasks?sort=name&cursor=" + encodeCursor("listTasks", place{at: 1, id: "x"}), []string{"cursor"}},
		{"/api/tasks?cursor=" + encodeCursor("listTasksname", place{at: 1, id: "x"}), []string{"cursor"}},
		{"/api/tasks?q=%00", []string{"q"}},
		{"/api/tasks?name=%ff", []string{"name"}},
		{"/api/tasks?cursor=nonsense", []string{"cursor"}},
		{"/api/tasks?cursor=" + encodeCursor("listFiles", place{at: 1, id: "x"}), []string{"cursor"}},
		{"/api/tasks?%1b=1", []string{`"\x1b"`}},
		{"/api/task-ids?limit=0", []string{"limit"}},
		{"/api/tasks/task0001?wait=soon", []string{"wait"}},
		{"/api/tasks/task0001?wait=-1s", []string{"wait"}},
		{"/api/tasks/task0001?wait=11m", []string{"wait"}},
		{"/api/tasks/task0001/events?limit=0", []string{"limit"}},
		{"/api/tasks/task0001/logs?offset=-1&tail=-2&stream=both&attempt=-1", []string{"offset", "tail", "stream", "attempt"}},
		{"/api/tasks/task0001/logs?offset=1&tail=1", []string{"tail"}},
		{"/api/tasks/task0001/logs?attempt=2", []string{"attempt"}},
		{"/api/tasks/task0001/logs?follow=perhaps", []string{"follow"}},
		{"/api/files?cursor=AAAA", []string{"cursor"}},
		{"/api/files/task0001/download?format=rar", []string{"format"}},
		{"/api/workers?limit=x", []string{"limit"}},
		{"/api/cluster?x=1", []string{"x"}},
		{"/telemetry?x=1", []string{"x"}},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) { wantProblem(t, e.get(t, tt.target), 422, tt.locations...) })
	}
}

func TestListPages(t *testing.T) {
	e := newEdge(t)
	for n := range 5 {
		e.submit(t, "ann", cluster.TaskRequest{Name: fmt.Sprintf("n%d", n), Labels: map[string]string{"odd": fmt.Sprint(n%2 == 1)}})
	}
	e.submit(t, "bob", cluster.TaskRequest{Name: "other"})
	var got []string
	cursor := ""
	for pages := 0; pages < 10; pages++ {
		list := decode[client.List[client.Task]](t, e.get(t, "/api/tasks?limit=2&name=n"+cursor), 200)
		for _, task := range list.Items {
			got = append(got, task.Name)
		}
		if list.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(list.NextCursor)
		e.submit(t, "ann", cluster.TaskRequest{Name: "n new"}) // must not shift what follows
	}
	if fmt.Sprint(got) != "[n4 n3 n2 n1 n0]" {
		t.Errorf("got %v", got)
	}
	list := decode[client.List[client.Task]](t, e.get(t, "/api/tasks?label=odd%3Dtrue&user_id=ann&status=queued,running"), 200)
	if len(list.Items) != 2 {
		t.Errorf("%d with the label", len(list.Items))
	}
	mine := decode[client.List[client.Task]](t, e.get(t, "/api/tasks", client.UserHeader+": bob"), 200)
	if len(mine.Items) != 1 || mine.Items[0].Name != "other" {
		t.Errorf("bob sees %+v", mine.Items)
	}
	ids := decode[client.List[string]](t, e.get(t, "/api/task-ids?prefix=task000&limit=2"), 200)
	if fmt.Sprint(ids.Items) != "[task0001 task0002]" {
		t.Errorf("ids %v", ids.Items)
	}
	if w := e.get(t, "/api/tasks?q=nosuch"); strings.TrimSpace(w.Body.String()) != `{"items":[]}` {
		t.Errorf("empty list %s", w.Body)
	}
}

// A page in each order goes on where the one before ended.
func TestListOrders(t *testing.T) {
	e := newEdge(t)
	for _, name := range []string{"b", "a", "ä", "a"} {
		e.submit(t, "ann", cluster.TaskRequest{Name: name})
	}
	for sort, want := range map[string]string{
		"-created_at": "4 3 2 1", "created_at": "1 2 3 4", "name": "4 2 1 3", "-name": "3 1 2 4",
	} {
		var got []string
		cursor := ""
		for range 4 {
			list := decode[client.List[client.Task]](t, e.get(t, "/api/tasks?limit=1&sort="+sort+cursor), 200)
			got = append(got, strings.TrimPrefix(list.Items[0].TaskID, "task000"))
			if cursor = ""; list.NextCursor != "" {
				cursor = "&cursor=" + url.QueryEscape(list.NextCursor)
			}
		}
		if strings.Join(got, " ") != want || cursor != "" {
			t.Errorf("%s: %v, want %s, and then %q", sort, got, want, cursor)
		}
	}
}

// The body that a task was made from makes the same again, with its files.
func TestTaskSpec(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{
		Image: "alpine", Command: "cat a", Timeout: "90s", Env: map[string]string{"A": "1"},
		Inputs: []cluster.InputFile{{Path: "a", Content: []byte("text")}, {Path: "/b", Content: []byte{0xff, 0}}},
	})
	spec := decode[client.TaskRequest](t, e.get(t, "/api/tasks/"+string(id)+"/spec"), 200)
	want := []client.Input{{Path: "a", Content: "text"}, {Path: "/b", Content: "/wA=", Encoding: "base64"}}
	if spec.DockerImage != "alpine" || spec.Timeout != "1m30s" || *spec.CPURequired != 1 || !reflect.DeepEqual(spec.Inputs, want) {
		t.Errorf("%+v", spec)
	}
	request, faults := requestOf(spec)
	again, err := request.Spec()
	if err != nil || faults != nil {
		t.Fatal(err, faults)
	}
	view, err := e.core.Task(t.Context(), cluster.Principal{UserID: "ann"}, id)
	if err != nil || !reflect.DeepEqual(again, view.Spec) {
		t.Errorf("%+v\n%+v, %v", again, view.Spec, err)
	}
	wantProblem(t, e.get(t, "/api/tasks/"+string(id)+"/spec", client.UserHeader+": bob"), 404)
}

// Whoever is no administrator is told what is theirs of the counts.
func TestOwnCounts(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "ann", cluster.TaskRequest{})
	e.submit(t, "bob", cluster.TaskRequest{})
	bob := decode[client.Cluster](t, e.get(t, "/api/cluster", client.UserHeader+": bob"), 200)
	if bob.Tasks["queued"] != 2 || bob.OwnTasks["queued"] != 1 {
		t.Errorf("%+v", bob)
	}
	if all := decode[client.Cluster](t, e.get(t, "/api/cluster"), 200); all.OwnTasks != nil {
		t.Errorf("%+v", all)
	}
}

func TestEventsPages(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Finish(id, ptr(0), "", ""))
	var states []string
	cursor := ""
	for {
		list := decode[client.List[client.Event]](t, e.get(t, "/api/tasks/task0001/events?limit=3"+cursor), 200)
		for _, event := range list.Items {
			states = append(states, event.State)
			if event.State == "collect_output" && (event.Outcome != "success" || event.ExitCode == nil || *event.ExitCode != 0) {
				t.Errorf("collect_output says %+v", event)
			}
		}
		if list.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + list.NextCursor
	}
	want := "created queued assigned image_pulled container_created running collect_output upload_files report_result stored"
	if strings.Join(states, " ") != want {
		t.Errorf("got %v", states)
	}
}

func TestWait(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	if got := decode[client.Task](t, e.get(t, "/api/tasks/task0001?wait=1ms"), 200); got.Status != "queued" {
		t.Errorf("%+v", got)
	}
	reply := make(chan client.Task)
	go func() { reply <- decode[client.Task](t, e.get(t, "/api/tasks/task0001?wait=5m"), 200) }()
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Finish(id, ptr(0), "", ""))
	if got := <-reply; got.Status != "succeeded" {
		t.Errorf("%+v", got)
	}
}

func TestCancel(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	for range 2 {
		w := e.ask(t, doorSocket, "DELETE", "/api/tasks/task0001", "")
		if got := decode[client.Task](t, w, 202); !got.CancelRequested || got.Status != "running" {
			t.Errorf("%+v", got)
		}
	}
	must(t, e.core.Finish(id, ptr(143), cluster.FailureExit, ""))
	p := wantProblem(t, e.ask(t, doorSocket, "DELETE", "/api/tasks/task0001", ""), 409)
	if p.Detail != "task task0001 is cancelled already" {
		t.Errorf("%q", p.Detail)
	}
}

func TestEditTask(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	path := "/api/tasks/" + string(id)
	ann := client.UserHeader + ": ann"
	before := e.get(t, path, ann)
	tag := before.Header().Get("ETag")
	if tag != `"1"` {
		t.Fatalf("ETag %s", tag)
	}
	w := e.ask(t, doorSocket, "PATCH", path, `{"name":"x","priority":7,"timeout":"90s"}`, ann, "If-Match: "+tag)
	if got := decode[client.Task](t, w, 200); got.Name != "x" || got.Priority != 7 || got.Timeout != "1m30s" || w.Header().Get("ETag") != `"2"` {
		t.Fatalf("%+v %v", got, w.Header())
	}
	wantProblem(t, e.ask(t, doorSocket, "PATCH", path, `{"priority":8}`, ann, "If-Match: "+tag), 412)
	for _, c := range []struct {
		body, match string
		status      int
		locations   []string
	}{
		{``, "", 400, nil},
		{`{"name":5,"priority":1.5,"timeout":null,"cpu_required":1,"status":"x"}`, "", 422, []string{"name", "priority", "cpu_required", "status"}},
		{`{"name":"a\u0007","priority":101,"timeout":"-1s"}`, "", 422, []string{"name", "priority", "timeout"}},
		{`{"priority":1e308}`, "", 422, []string{"priority"}},
		{`{}`, "x", 422, []string{"If-Match"}},
		{`{}`, "02", 422, []string{"If-Match"}},
		{`{}`, `"2`, 422, []string{"If-Match"}},
		{`{}`, "1", 412, nil},
		{`{}`, `W/"2"`, 412, nil},
		{`{}`, `"02"`, 412, nil},
		{`{}`, `"stale"`, 412, nil},
		{`{}`, `"99999999999999999999"`, 412, nil},
	} {
		headers := []string{ann}
		if c.match != "" {
			headers = append(headers, "If-Match: "+c.match)
		}
		wantProblem(t, e.ask(t, doorSocket, "PATCH", path, c.body, headers...), c.status, c.locations...)
	}
	plain := decode[client.Task](t, e.ask(t, doorSocket, "PATCH", path, `{"priority":9}`, ann, "If-Match: 2"), 200)
	if plain.Priority != 9 || plain.Version != 3 {
		t.Errorf("%+v", plain)
	}
	must(t, e.core.Run(id, "w1"))
	wantProblem(t, e.ask(t, doorSocket, "PATCH", path, `{"priority":8}`, ann, "If-Match: *"), 409)
	wantProblem(t, e.ask(t, doorSocket, "PATCH", path, `{"priority":8}`, ann, `If-Match: "stale"`), 412)
}

func TestPulledBytesOfAnAttempt(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	path, ann := "/api/tasks/"+string(id), client.UserHeader+": ann"
	must(t, e.core.Run(id, "w1"))
	if w := e.get(t, path, ann); strings.Contains(w.Body.String(), "pulled_bytes") {
		t.Errorf("nothing is known of a pull: %s", w.Body)
	}
	must(t, e.core.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		v.Task, _, err = v.Observe(cluster.Observation{PulledBytes: 7}, now)
		return err
	}))
	if got := decode[client.Task](t, e.get(t, path, ann), 200); got.Attempts[0].PulledBytes != 7 {
		t.Errorf("%+v", got.Attempts)
	}
}

func TestRetryTask(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{Name: "job"})
	path := "/api/tasks/" + string(id) + "/retry"
	ann := client.UserHeader + ": ann"
	wantProblem(t, e.ask(t, doorSocket, "POST", path, "", ann), 409)
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Finish(id, ptr(0), "", ""))
	wantProblem(t, e.ask(t, doorSocket, "POST", path, `{"name":"y"}`, ann), 422, "name")
	w := e.ask(t, doorSocket, "POST", path, "", ann)
	got := decode[client.Task](t, w, 201)
	if got.RetryOf != string(id) || got.Name != "job" || got.UserID != "ann" || w.Header().Get("Location") != "/api/tasks/"+got.TaskID {
		t.Fatalf("%+v %v", got, w.Header())
	}
}

func TestTaskMetrics(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{CPU: ptr(0.5)})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e.core.SetUsage(id, cluster.UsageSample{Time: at, CPU: 0.25, Memory: 12.5})
	m := decode[client.TaskMetrics](t, e.get(t, "/api/tasks/"+string(id)+"/metrics"), 200)
	if m.Attempt != 1 || m.CPULimit != 0.5 || m.MemoryLimit != 512 || len(m.Samples) != 1 || m.Samples[0].Memory != 12.5 {
		t.Fatalf("%+v", m)
	}
	wantProblem(t, e.get(t, "/api/tasks/"+string(id)+"/metrics?attempt=2"), 422, "attempt")
	wantProblem(t, e.get(t, "/api/tasks/"+string(id)+"/metrics?attempt=-1"), 422, "attempt")
}
