package docker

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"cloudai/worker/internal/executor"
)

// A start that broke off is told from one that the engine has not heard of: only
// the first may have begun.
func TestF08StartThatWasNotTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.sock")
	e, err := New(Config{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	err = e.start(t.Context(), "c1")
	if !errors.Is(err, executor.ErrEngine) || !errors.Is(err, executor.ErrNotTold) {
		t.Errorf("nobody listens: %v", err)
	}

	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("API-Version", "1.41")
	}))
	engine.Listener = l
	engine.Start()
	t.Cleanup(engine.Close)
	err = e.start(t.Context(), "c1")
	if !errors.Is(err, executor.ErrEngine) || errors.Is(err, executor.ErrNotTold) {
		t.Errorf("the engine breaks off: %v", err)
	}
}
