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
	e := toldBy(t, func(w http.ResponseWriter, r *http.Request) {
		since, err := strconv.ParseFloat(r.URL.Query().Get("since"), 64)
		if err == nil && since <= float64(killed.Unix()) {
			_, _ = w.Write([]byte(`{"Type":"container","Action":"oom","Actor":{"ID":"c1"}}`))
		}
	})
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

// Where the engine tells of no kill the kernel's log decides, for a container that
// was killed and not by this process.
func TestF12EngineDoesNotTell(t *testing.T) {
	e := toldBy(t, func(http.ResponseWriter, *http.Request) {})
	e.kernelLog = func() string {
		return "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/docker/c1,task_memcg=/docker/c1\n" +
			"oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/docker/c2,task_memcg=/docker/c2\n"
	}
	e.hints.kill("c2")
	for name, c := range map[string]struct {
		id   string
		code int
		want bool
	}{
		"killed":                 {"c1", killedByKernel, true},
		"killed by this process": {"c2", killedByKernel, false},
		"killed by somebody":     {"c3", killedByKernel, false},
		"exited":                 {"c1", 1, false},
	} {
		got, err := e.killedForMemory(t.Context(), executor.Container{ID: c.id, ExitCode: c.code, StartedAt: time.Now(), FinishedAt: time.Now()})
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// Without a look at the log, or without a word in it, all is as the engine says.
	e.kernelLog = func() string { return "" }
	got, err := e.killedForMemory(t.Context(), executor.Container{ID: "c1", ExitCode: killedByKernel, StartedAt: time.Now(), FinishedAt: time.Now()})
	if err != nil || got {
		t.Errorf("without the log: %v, %v", got, err)
	}
}

// toldBy is an executor of an engine that answers so when asked for its events.
func toldBy(t *testing.T, events http.HandlerFunc) *Executor {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		events(w, r)
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
	return e
}
