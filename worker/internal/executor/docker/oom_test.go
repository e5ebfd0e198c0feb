package docker

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// A busy engine notes the start of a container when that has been killed
// already.
func TestF12KilledBeforeItsStart(t *testing.T) {
	killed := time.Now()
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		since, err := strconv.ParseFloat(r.URL.Query().Get("since"), 64)
		if err == nil && since <= float64(killed.Unix()) {
			_, _ = w.Write([]byte(`{"Type":"container","Action":"oom","Actor":{"ID":"c1"}}`))
		}
	}))
	engine.Listener = l
	engine.Start()
	defer engine.Close()
	e, err := New(Config{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	noted := killed.Add(3 * time.Second)
	for name, c := range map[string]struct {
		started time.Time
		want    bool
	}{"soon": {noted, true}, "an hour later": {killed.Add(time.Hour), false}} {
		got, err := e.killedForMemory(t.Context(), executor.Container{ID: "c1", ExitCode: killedByKernel, StartedAt: c.started, FinishedAt: c.started})
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
