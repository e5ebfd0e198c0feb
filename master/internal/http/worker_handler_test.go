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
