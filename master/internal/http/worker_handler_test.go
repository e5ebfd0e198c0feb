package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func twoWorkers(e *edge) {
	e.core.SetWorkers(
		coordinator.WorkerView{
			Worker: cluster.Worker{
				ID: "w1", Address: "127.0.0.1:50052", Version: "1.2.3", Labels: map[string]string{"zone": "a"},
				Total: cluster.Resources{CPU: 4, Memory: 8192, Storage: 100, GPU: 1}, RegisteredAt: logTime,
				Session: "secret-session", Fingerprint: "secret-print",
			},
			Status: cluster.WorkerActive, Allocated: cluster.Resources{CPU: 1.5, Memory: 512},
			Used: &cluster.Sample{Time: logTime, CPU: 0.25, Memory: 100, Storage: 7}, LastHeartbeat: logTime.Add(time.Minute),
			Running: []coordinator.RunningView{{TaskID: "task0001", Attempt: 2}}, RunningCount: 3,
		},
		coordinator.WorkerView{
			Worker: cluster.Worker{ID: "w2", Address: "127.0.0.1:50053", RegisteredAt: logTime},
			Status: cluster.WorkerLost, Message: "no heartbeat since 03:04:05",
		},
	)
}

// The shapes of all replies about workers, to the letter.
func TestWorkerShapes(t *testing.T) {
	e := newEdge(t)
	twoWorkers(e)
	var all bytes.Buffer
	for _, path := range []string{"/api/workers", "/api/workers/w1", "/telemetry", "/telemetry/w2", "/api/cluster"} {
		w := e.get(t, path)
		if w.Code != 200 || bytes.Contains(w.Body.Bytes(), []byte("secret")) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		fmt.Fprintf(&all, "GET %s\n", path)
		must(t, json.Indent(&all, w.Body.Bytes(), "", "  "))
	}
	golden(t, "testdata/workers.txt", all.Bytes())
	wantProblem(t, e.get(t, "/api/workers/w3"), 404)
	wantProblem(t, e.get(t, "/telemetry/w3"), 404)
}

func TestWorkerPages(t *testing.T) {
	e := newEdge(t)
	twoWorkers(e)
	first := decode[client.List[client.Worker]](t, e.get(t, "/api/workers?limit=1"), 200)
	second := decode[client.List[client.Worker]](t, e.get(t, "/api/workers?limit=1&cursor="+first.NextCursor), 200)
	if first.Items[0].WorkerID != "w1" || second.Items[0].WorkerID != "w2" || second.NextCursor != "" {
		t.Errorf("%+v %+v", first, second)
	}
}

func TestManagingWorkers(t *testing.T) {
	e := newEdge(t)
	bob := client.UserHeader + ": bob"
	e.core.SetWorkers(coordinator.WorkerView{Worker: cluster.Worker{ID: "w1"}, Status: cluster.WorkerActive, RunningCount: 1})
	for _, call := range [][3]string{
		{"POST", "/api/workers", `{`}, // the role comes before the body
		{"DELETE", "/api/workers/w1", ""},
		{"DELETE", "/api/workers/none?force=x", ""},
		{"POST", "/api/workers/w1/drain", ""},
		{"POST", "/api/workers/w1/undrain", ""},
		{"GET", "/api/cluster/join", ""},
	} {
		wantProblem(t, e.ask(t, doorSocket, call[0], call[1], call[2], bob), 403)
	}
	w := e.ask(t, doorSocket, "POST", "/api/workers", `{"worker_id":"w2","address":"10.0.0.7:50052"}`)
	if got := decode[client.Worker](t, w, 201); got.WorkerID != "w2" || got.Address != "10.0.0.7:50052" || w.Header().Get("Location") != "/api/workers/w2" {
		t.Fatalf("%+v %v", got, w.Header())
	}
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/workers", `{"worker_id":"w3","address":"nowhere:1"}`), 409)
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/workers", `{"worker_id":7,"address":"a:1","port":1}`), 422, "worker_id", "port")
	if got := decode[client.Worker](t, e.ask(t, doorSocket, "POST", "/api/workers/w1/drain", ""), 200); got.Status != "draining" {
		t.Fatalf("%+v", got)
	}
	if got := decode[client.Worker](t, e.ask(t, doorSocket, "POST", "/api/workers/w1/undrain", "{}"), 200); got.Status != "active" {
		t.Fatalf("%+v", got)
	}
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/workers/w1/drain", `{"now":true}`), 422, "now")
	wantProblem(t, e.ask(t, doorSocket, "POST", "/api/workers/none/drain", ""), 404)
	wantProblem(t, e.ask(t, doorSocket, "DELETE", "/api/workers/w1", ""), 409)
	wantProblem(t, e.ask(t, doorSocket, "DELETE", "/api/workers/w1?force=perhaps", ""), 422, "force")
	if w := e.ask(t, doorSocket, "DELETE", "/api/workers/w1?force=true", ""); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	wantProblem(t, e.get(t, "/api/workers/w1"), 404)
	join := decode[client.Join](t, e.get(t, "/api/cluster/join"), 200)
	if join.Command != "MASTER_ADDR=10.0.0.1:50051 JOIN_TOKEN=cloudai1.x ./runWorker.sh" {
		t.Fatalf("%+v", join)
	}
}

func TestWorkerMetricsAndTasks(t *testing.T) {
	e := newEdge(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e.core.SetWorkers(coordinator.WorkerView{Worker: cluster.Worker{ID: "w1", Total: cluster.Resources{CPU: 4}}, Status: cluster.WorkerActive})
	e.core.SetHistory("w1", cluster.Sample{Time: at, CPU: 1.5, Memory: 7})
	m := decode[client.WorkerMetrics](t, e.get(t, "/api/workers/w1/metrics"), 200)
	if len(m.Samples) != 1 || m.Samples[0].CPU != 1.5 || !m.Samples[0].Time.Equal(at) || m.Total.CPU != 4 {
		t.Fatalf("%+v", m)
	}
	wantProblem(t, e.get(t, "/api/workers/none/metrics"), 404)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	list := func(user, query string) []client.Task {
		return decode[client.List[client.Task]](t, e.get(t, "/api/workers/w1/tasks"+query, client.UserHeader+": "+user), 200).Items
	}
	if len(list("ann", "")) != 1 || len(list("bob", "")) != 0 || len(list("ann", "?status=queued")) != 0 || len(list("ann", "?status=running")) != 1 {
		t.Error("the worker's tasks are not as asked for")
	}
	wantProblem(t, e.get(t, "/api/workers/none/tasks"), 404)
	wantProblem(t, e.get(t, "/api/workers/w1/tasks?status=odd&limit=0"), 422, "status[0]", "limit")
}
