package docker

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/worker/internal/executor"
)

// An engine that is asked while it stops has no start of its own any more: it must
// not pass for one whose start does not show, since that hides its absence.
func TestF08StoppingEngineIsAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stopping := false
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/info"):
			if stopping {
				_ = os.Remove(path) // stat tells
			}
			_, _ = w.Write([]byte(`{"ServerVersion":"20.10","NCPU":2}`))
		case strings.Contains(r.URL.Path, "/networks/"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"network bridge not found"}`))
		}
	}))
	engine.Listener = l
	engine.Start()
	t.Cleanup(engine.Close)
	e, err := New(Config{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	info, err := e.Info(t.Context())
	if err != nil || info.Instance == "" {
		t.Fatalf("an engine that runs: %+v, %v", info, err)
	}
	stopping = true
	if info, err = e.Info(t.Context()); !errors.Is(err, executor.ErrEngine) {
		t.Errorf("an engine that stops: %+v, %v", info, err)
	}
}
