//go:build engine

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
)

// Over TCP only the open calls answer; the socket belongs to its owner.
func TestDoors(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/health", "/ready", "/version", "/openapi.json"} {
		if code, _, body := ask(t, "GET", "http://"+w.HTTP()+path, ""); code != 200 {
			t.Errorf("GET %s answers %d: %s", path, code, body)
		}
	}
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/api/tasks", ""},
		{"POST", "/api/tasks", `{"docker_image": "busybox"}`},
		{"POST", "/api/tasks", `{"no such field": 1}`}, // identity comes before the body
		{"GET", "/api/tasks/0123456789abcdef", ""},
		{"DELETE", "/api/tasks/0123456789abcdef", ""},
		{"GET", "/api/tasks/0123456789abcdef/logs", ""},
		{"GET", "/api/tasks/0123456789abcdef/events", ""},
		{"GET", "/api/workers", ""},
		{"GET", "/api/cluster", ""},
		{"GET", "/api/files", ""},
		{"GET", "/telemetry", ""},
	} {
		code, kind, body := ask(t, call.method, "http://"+w.HTTP()+call.path, call.body)
		var problem struct{ Status int }
		if err := json.Unmarshal(body, &problem); code != 401 || problem.Status != 401 || err != nil || kind != "application/problem+json" {
			t.Errorf("%s %s answers %d (%s): %s", call.method, call.path, code, kind, body)
		}
	}
	if tasks, err := w.API().TaskPage(t.Context(), client.TaskQuery{}, 0, ""); err != nil || len(tasks.Items) != 0 {
		t.Errorf("behind the closed door: %v, %v", tasks, err)
	}
	for path, mode := range map[string]os.FileMode{w.Socket(): 0o600, w.MasterDir() + "/join-token": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// ask makes one call over TCP.
func ask(t *testing.T, method, url, body string) (code int, kind string, answer []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	must(t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	reply, err := http.DefaultClient.Do(request)
	must(t, err)
	defer reply.Body.Close()
	answer, err = io.ReadAll(reply.Body)
	must(t, err)
	return reply.StatusCode, reply.Header.Get("Content-Type"), answer
}
