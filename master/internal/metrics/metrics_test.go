package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// told is Metrics that have been told something of everything.
func told(t *testing.T, state func(context.Context) (State, error)) *Metrics {
	t.Helper()
	m := New("1.2.3", "go1.26")
	if state == nil {
		state = func(context.Context) (State, error) {
			return State{
				Tasks: map[cluster.Status]int{cluster.StatusRunning: 3}, Queue: 2, Oldest: time.Now().Add(-time.Minute),
				Workers: map[cluster.WorkerStatus]int{cluster.WorkerLost: 1}, Total: cluster.Resources{CPU: 4, Memory: 2},
			}, nil
		}
	}
	m.Watch(Source{State: state, LogBytes: func() int64 { return 7 }, UploadBytes: func() int64 { return 9 }})
	m.HTTP("GET", "/api/tasks/{id}", 200, time.Second)
	m.GRPC("SendHeartbeat", "OK", time.Second)
	s := m.Store(storetest.NewMemory())
	s.Commit(t.Context(), nil)
	return m
}

// scrape is what Prometheus reads.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v: %s", w.Code, err, body)
	}
	return string(body)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%q is missing in:\n%s", line, text)
		}
	}
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	text := scrape(t, told(t, nil))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for line := range strings.Lines(text) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); !strings.HasPrefix(name, "cloudai_") {
			t.Errorf("does not begin with cloudai_: %s", line)
		}
	}
}

// Every query of the dashboard asks for what is exported.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, told(t, nil))
	asked := map[string]bool{}
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s asks for nothing", p.Title)
		}
		for _, q := range p.Targets {
			names := regexp.MustCompile(`cloudai_[a-z0-9_]+`).FindAllString(q.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s: %s asks for nothing of ours", p.Title, q.Expr)
			}
			for _, name := range names {
				asked[name] = true
				if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(text) {
					t.Errorf("%s asks for %s, which is not exported", p.Title, name)
				}
			}
			for _, label := range regexp.MustCompile(`by \(([a-z, ]+)\)`).FindAllStringSubmatch(q.Expr, -1) {
				for name := range strings.SplitSeq(label[1], ", ") {
					if !regexp.MustCompile(`(?m)^` + names[0] + `\{.*\b` + name + `="`).MatchString(text) {
						t.Errorf("%s groups %s by %s, which it has not", p.Title, names[0], name)
					}
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (cloudai_\w+) `).FindAllStringSubmatch(text, -1) {
		name := m[1]
		own := !strings.HasPrefix(name, "cloudai_go_") && !strings.HasPrefix(name, "cloudai_process_") && name != "cloudai_build_info"
		shown := asked[name] || asked[name+"_bucket"] || asked[name+"_count"]
		if own && !shown && !regexp.MustCompile(`_(gpus|storage_bytes)$`).MatchString(name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestLifeOfATask(t *testing.T) {
	m := New("v", "go")
	task := cluster.NewTask("t", "u", cluster.Spec{MaxRetries: 1}, noon)
	seen := 0
	tell := func(next cluster.Task, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		task = next
		m.Task(&task, len(task.Events)-seen)
		seen = len(task.Events)
	}
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	tell(task, nil)
	tell(task.Assign("w", "l", at(40)))
	// Two of the worker's states come in one report: its clock tells them apart.
	next, _, err := task.Observe(cluster.Observation{States: []cluster.StateTime{
		{State: cluster.StateImagePulled, Time: at(1000)}, {State: cluster.StateContainerCreated, Time: at(1200)},
	}}, at(300))
	tell(next, err)
	m.Task(&task, 0) // a change without an event counts nothing
	code := 3
	tell(task.Finish(cluster.Verdict{Outcome: cluster.OutcomeFailed, ExitCode: &code, Failure: cluster.FailureExit, Cause: "result"}, at(500)))
	text := scrape(t, m)
	wantLines(t, text,
		`cloudai_tasks_submitted_total 1`, `cloudai_task_attempts_total 1`,
		`cloudai_task_scheduling_duration_seconds_count 1`, `cloudai_task_scheduling_duration_seconds_sum 0.04`,
		`cloudai_task_stage_duration_seconds_sum{stage="image_pulled"} 0.26`,
		`cloudai_task_stage_duration_seconds_sum{stage="container_created"} 0.2`,
		`cloudai_task_stage_duration_seconds_count{stage="running"} 0`,
		`cloudai_tasks_finished_total{failure="exit",status="failed"} 1`,
		`cloudai_tasks_finished_total{failure="none",status="succeeded"} 0`,
	)
}

// What callers choose makes no series.
func TestLabelsAreFew(t *testing.T) {
	m := told(t, nil)
	before := strings.Count(scrape(t, m), "\n")
	for range 100 {
		m.HTTP("GET", "/api/tasks/{id}", 200, time.Millisecond)
	}
	if after := strings.Count(scrape(t, m), "\n"); after > before {
		t.Errorf("%d lines, then %d", before, after)
	}
	for _, method := range []string{"BREW", "PROPFIND", "x\x00"} {
		m.HTTP(method, "", 405, time.Millisecond)
	}
	text := scrape(t, m)
	wantLines(t, text, `cloudai_http_request_duration_seconds_count{code="4xx",method="other",route="none"} 3`)
	m.HTTP("GET", "/ws/telemetry", 101, time.Hour)
	if strings.Contains(scrape(t, m), "/ws/telemetry") {
		t.Error("a WebSocket's life counts as a request's time")
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	asked := 0
	m := told(t, func(context.Context) (State, error) {
		asked++
		return State{Tasks: map[cluster.Status]int{cluster.StatusQueued: 5}, Total: cluster.Resources{Memory: 2}, Violated: 1}, nil
	})
	for range 20 {
		wantLines(t, scrape(t, m),
			`cloudai_tasks{status="queued"} 5`, `cloudai_tasks{status="failed"} 0`, `cloudai_workers{status="lost"} 0`, `cloudai_queue_oldest_age_seconds 0`,
			`cloudai_capacity_memory_bytes 2.097152e+06`, `cloudai_invariant_violations 1`, `cloudai_store_up 1`, `cloudai_log_received_bytes_total 7`,
		)
	}
	if asked > 5 {
		t.Errorf("20 scrapes asked %d times", asked)
	}
	m = told(t, func(context.Context) (State, error) { return State{}, errors.New("away") })
	text := scrape(t, m)
	wantLines(t, text, `cloudai_store_up 0`, `cloudai_upload_received_bytes_total 9`)
	if strings.Contains(text, "cloudai_tasks{") {
		t.Error("what is not known is told")
	}
}

func TestStoreIsMeasured(t *testing.T) {
	m := New("v", "go")
	broken := faultstore.New(storetest.NewMemory())
	s := m.Store(broken)
	write := db.Write{Task: cluster.NewTask("t", "u", cluster.Spec{}, noon)}
	write.Task.Version = 1
	if err := s.Commit(t.Context(), []db.Write{write})[0]; err != nil {
		t.Fatal(err)
	}
	broken.FailAt(1, faultstore.Refused)
	if err := s.DeleteTasks(t.Context(), []db.TaskVersion{{ID: "t", Version: 1}})[0]; err == nil {
		t.Fatal("not refused")
	}
	if n := testutil.ToFloat64(m.refused); n != 1 {
		t.Errorf("%v failures", n)
	}
	wantLines(t, scrape(t, m), `cloudai_store_commit_duration_seconds_count 2`)
}
