//go:build engine

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// scrape reads the master's metrics as Prometheus does, without any token.
func (w *world) scrape(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.HTTP()+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", answer.StatusCode, body)
	}
	return string(body), err
}

// What a real master and a real worker do shows in the metrics, with the names of
// none of them.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakeWorker(t, "secret-worker", "WORKER_CPU=4", "WORKER_MEMORY=1000")
	r := w.small("")
	r.Name, r.Env = "secret-name", map[string]string{"FAKE_LOG_LINES": "20", "FAKE_OUTPUT_FILES": "1", "FAKE_OUTPUT_BYTES": "500"}
	id := w.submit(t, r)
	w.succeeded(t, id)
	r.Env = map[string]string{"FAKE_FAIL": "oom"}
	w.ended(t, w.submit(t, r))
	wanted := []string{
		`cloudai_tasks_submitted_total 2`, `cloudai_task_attempts_total 2`,
		`cloudai_tasks_finished_total{failure="none",status="succeeded"} 1`, `cloudai_tasks_finished_total{failure="oom",status="failed"} 1`,
		`cloudai_task_scheduling_duration_seconds_count 2`, `cloudai_task_stage_duration_seconds_count{stage="running"} `,
		`cloudai_tasks{status="succeeded"} 1`, `cloudai_workers{status="active"} 1`, `cloudai_queue_tasks 0`, `cloudai_capacity_cpu_cores 4`,
		`cloudai_upload_received_bytes_total 500`, `cloudai_store_up 1`,
		`cloudai_grpc_request_duration_seconds_count{code="OK",method="ReportTaskCompletion"} 2`,
		`cloudai_http_request_duration_seconds_count{code="2xx",method="POST",route="/api/tasks"} 2`,
	}
	text := ""
	await(t, verdict, func(ctx context.Context) (err error) { // the state is asked for every other second
		if text, err = w.scrape(ctx); err != nil {
			return err
		}
		for _, line := range wanted {
			if !strings.Contains(text, "\n"+line) {
				return fmt.Errorf("%q is missing", line)
			}
		}
		return nil
	})
	if strings.Contains(text, "\ncloudai_log_received_bytes_total 0\n") {
		t.Error("no byte of a log was counted")
	}
	for _, secret := range []string{"secret", id, "local"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in what anybody may read", secret)
		}
	}
}
