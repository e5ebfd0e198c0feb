package http

import (
	"context"
	"fmt"
	"log/slog"
	nethttp "net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/scheduler"
	"cloudai/master/internal/storage"
)

// slowStore is the reference store, whose commits wait while it is held.
type slowStore struct {
	*storetest.Memory
	hold sync.RWMutex
	mu   sync.Mutex
	fail error // of the next commit
}

func (s *slowStore) Commit(ctx context.Context, writes []db.Write) []error {
	s.hold.RLock()
	defer s.hold.RUnlock()
	s.mu.Lock()
	err := s.fail
	s.fail = nil
	s.mu.Unlock()
	if err != nil {
		return []error{err}
	}
	return s.Memory.Commit(ctx, writes)
}

// withCore is an edge on the real core, without workers.
func withCore(t *testing.T) (*edge, *slowStore) {
	t.Helper()
	dir := t.TempDir()
	keeper, err := logs.New(logs.Config{Dir: filepath.Join(dir, "logs")})
	must(t, err)
	files, err := storage.New(storage.Config{Dir: filepath.Join(dir, "files")})
	must(t, err)
	t.Cleanup(func() { must(t, files.Close()) })
	store := &slowStore{Memory: storetest.NewMemory()}
	core := coordinator.New(coordinator.Config{
		Store: store, Logs: keeper, Files: files, Policy: scheduler.RoundRobin{}, Log: slog.New(slog.DiscardHandler),
		ClusterID: "c", HeartbeatInterval: time.Second, HeartbeatTimeout: time.Minute,
	})
	must(t, core.Recover(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- core.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	e := newEdge(t)
	e.Server.core = core
	return e, store
}

const keyHeader = "Idempotency-Key: "

// the reply, as far as a repeat must be the same.
func replyOf(w *httptest.ResponseRecorder) string {
	return fmt.Sprintf("%d %s %s %s", w.Code, w.Header().Get("Location"), w.Header().Get("ETag"), w.Body)
}

func TestF02IdempotencyKey(t *testing.T) {
	e, _ := withCore(t)
	const body = `{"docker_image":"alpine","name":"<&>","cpu_required":1.50,"env":{"B":"2","A":"1"},"inputs":[{"path":"f","content":"x"}]}`
	post := func(path, body string, headers ...string) *httptest.ResponseRecorder {
		t.Helper()
		return e.ask(t, doorSocket, "POST", path, body, headers...)
	}
	first := post("/api/tasks", body, keyHeader+"k 1")
	task := decode[client.Task](t, first, 201)
	if got := first.Header().Get("Location"); got != "/api/tasks/"+task.TaskID {
		t.Errorf("Location %q", got)
	}
	path := "/api/tasks/" + task.TaskID
	decode[client.Task](t, e.ask(t, doorSocket, "PATCH", path, `{"name":"other"}`), 200)
	decode[client.Task](t, e.ask(t, doorSocket, "DELETE", path, ""), 202)
	for name, same := range map[string]string{
		"byte for byte":         body,
		"in another order":      `{"inputs":[{"content":"x","path":"f"}], "env":{"A":"1","B":"2"},"cpu_required":15e-1,"name":"<&>","docker_image":"alpine"}`,
		"with what is not said": strings.Replace(body, "{", `{"labels":null,"workdir":"",`, 1),
	} {
		if again := post("/api/tasks", same, keyHeader+"k 1"); replyOf(again) != replyOf(first) {
			t.Errorf("%s: %s\nthe first reply was %s", name, replyOf(again), replyOf(first))
		}
	}
	other := post("/api/tasks", strings.Replace(body, "alpine", "busybox", 1), keyHeader+"k 1")
	problem := decode[client.Problem](t, other, 422)
	if other.Header().Get("Content-Type") != "application/problem+json" || len(problem.Errors) != 1 || problem.Errors[0].Location != "Idempotency-Key" {
		t.Errorf("%v %s", other.Header(), other.Body)
	}
	if again := post("/api/tasks", body, keyHeader+"k 1", "X-CloudAI-User: ann"); replyOf(again) == replyOf(first) {
		t.Error("another user got the first reply")
	}
	retried := post(path+"/retry", "", keyHeader+"k 1")
	if got := decode[client.Task](t, retried, 201); got.RetryOf != task.TaskID {
		t.Errorf("%+v", got)
	}
	if again := post(path+"/retry", "{}", keyHeader+"k 1"); replyOf(again) != replyOf(retried) {
		t.Errorf("%s\nthe first reply was %s", replyOf(again), replyOf(retried))
	}
	if list := decode[client.List[client.Task]](t, e.get(t, "/api/tasks"), 200); len(list.Items) != 3 {
		t.Errorf("%d tasks", len(list.Items))
	}
}

// What was refused, by whomever, leaves the key free.
func TestF02RefusedIsNotKept(t *testing.T) {
	e, store := withCore(t)
	post := func(body string) *httptest.ResponseRecorder {
		return e.ask(t, doorSocket, "POST", "/api/tasks", body, keyHeader+"k")
	}
	decode[client.Problem](t, post(`{"docker_image"`), 400)
	decode[client.Problem](t, post(`{"docker_image":"a","cpu_required":-1}`), 422)
	store.mu.Lock()
	store.fail = db.ErrFull
	store.mu.Unlock()
	decode[client.Problem](t, post(`{"docker_image":"a"}`), 507)
	decode[client.Task](t, post(`{"docker_image":"b"}`), 201)
	decode[client.Problem](t, post(`{"docker_image":"a"}`), 422)
}

func TestIdempotencyKeyIsChecked(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "local", cluster.TaskRequest{})
	for name, headers := range map[string][]string{
		"empty":       {keyHeader},
		"blank":       {keyHeader + "  "},
		"too long":    {keyHeader + strings.Repeat("k", 256)},
		"not ASCII":   {keyHeader + "kö"},
		"tab":         {keyHeader + "a\tb"},
		"twice":       {keyHeader + "a", keyHeader + "b"},
		"empty twice": {keyHeader, keyHeader},
	} {
		for _, path := range []string{"/api/tasks", "/api/tasks/" + string(id) + "/retry"} {
			body := `{"docker_image":"a"}`
			if path != "/api/tasks" {
				body = ""
			}
			w := e.ask(t, doorSocket, "POST", path, body, headers...)
			problem := decode[client.Problem](t, w, 422)
			if len(problem.Errors) == 0 || problem.Errors[0].Location != "Idempotency-Key" || !strings.Contains(problem.Detail, "Idempotency-Key") {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
	}
	decode[client.Problem](t, e.ask(t, doorSocket, "POST", "/api/tasks/none/retry", "", keyHeader), 404)
	for _, good := range []string{"k", strings.Repeat("~", 255), `"8e03978e-40d5-43dd-bc93-6894a57f9324"`} {
		decode[client.Task](t, e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"a"}`, keyHeader+good), 201)
	}
}

// A twin of a request under way hears 409 with Retry-After.
func TestF02TwinInFlight(t *testing.T) {
	e, store := withCore(t)
	post := func() *httptest.ResponseRecorder {
		return e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"a"}`, keyHeader+"k")
	}
	store.hold.Lock()
	const twins = 50
	replies := make(chan *httptest.ResponseRecorder, twins)
	for range twins {
		go func() { replies <- post() }()
	}
	for range twins - 1 {
		w := <-replies
		decode[client.Problem](t, w, 409)
		if w.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	store.hold.Unlock()
	first := <-replies
	decode[client.Task](t, first, 201)
	if again := post(); replyOf(again) != replyOf(first) {
		t.Errorf("%s\nthe first reply was %s", replyOf(again), replyOf(first))
	}
}

// A burst of submits while the store stands still: a bounded number waits, all
// else hears 429 with Retry-After at once, and everything goes on afterwards
// by itself.
func TestF27BurstOfSubmits(t *testing.T) {
	e, store := withCore(t)
	post := func() *httptest.ResponseRecorder {
		return e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"a","env":{"E":"`+strings.Repeat("x", 1<<10)+`"}}`)
	}
	const burst, room = 2000, 1024
	before := runtime.NumGoroutine()
	store.hold.Lock()
	replies := make(chan *httptest.ResponseRecorder, burst)
	for range burst {
		go func() { replies <- post() }()
	}
	for range burst - room {
		w := <-replies
		decode[client.Problem](t, w, 429)
		if w.Header().Get("Retry-After") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%v", w.Header())
		}
	}
	if waiting := runtime.NumGoroutine() - before; waiting > room+20 {
		t.Errorf("%d goroutines wait", waiting)
	}
	if w := e.get(t, "/health"); w.Code != nethttp.StatusOK {
		t.Errorf("meanwhile: %d %s", w.Code, w.Body)
	}
	store.hold.Unlock()
	for range room {
		decode[client.Task](t, <-replies, 201)
	}
	for range 10 {
		decode[client.Task](t, post(), 201)
	}
}
