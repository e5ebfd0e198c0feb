package http

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/audit"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/http/fakecore"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge is a Server on a fake core with real logs and files.
type edge struct {
	*Server
	core     *fakecore.Core
	store    *faultstore.Store // of the accounts
	keeper   *logs.Keeper
	filesDir string
}

func newEdge(t testing.TB) *edge {
	t.Helper()
	dir := t.TempDir()
	keeper, err := logs.New(logs.Config{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	files, err := storage.New(storage.Config{Dir: filepath.Join(dir, "files")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	core := fakecore.New()
	store := faultstore.New(storetest.NewMemory())
	people := accounts.New(accounts.Config{
		Store: store, Key: []byte(strings.Repeat("k", 32)), Issuer: "c1", TTL: time.Hour, Open: true,
		Log: slog.New(slog.DiscardHandler),
	})
	if err := people.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Audit: audit.New(audit.Config{Store: store, Log: slog.New(slog.DiscardHandler)}),
		Core:  core, Accounts: people, Logs: keeper, Files: files, Version: client.Version{Version: "1.2.3"}, ShutdownGrace: 5 * time.Second,
		Join: client.Join{Token: "cloudai1.x", MasterAddr: "10.0.0.1:50051"}, Origins: []string{"http://localhost:3000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &edge{Server: s, core: core, store: store, keeper: keeper, filesDir: filepath.Join(dir, "files")}
}

// ask makes one request; headers are "Name: value".
func (e *edge) ask(t testing.TB, d door, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r.WithContext(contextOf(r, d)))
	return w
}

// get asks on the socket as the admin.
func (e *edge) get(t testing.TB, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return e.ask(t, doorSocket, "GET", target, "", headers...)
}

// submit makes a task of the user.
func (e *edge) submit(t testing.TB, user cluster.UserID, r cluster.TaskRequest) cluster.TaskID {
	t.Helper()
	if r.Image == "" {
		r.Image = "alpine"
	}
	v, err := e.core.Submit(t.Context(), cluster.Principal{UserID: user, Role: cluster.RoleUser}, r, coordinator.Once{})
	if err != nil {
		t.Fatal(err)
	}
	return v.ID
}

func decode[T any](t testing.TB, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var out T
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return out
}

// wantProblem checks a refusal and the fields it names, in any order.
func wantProblem(t testing.TB, w *httptest.ResponseRecorder, status int, locations ...string) client.Problem {
	t.Helper()
	p := decode[client.Problem](t, w, status)
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if p.Status != status || p.Title != nethttp.StatusText(status) || p.Detail == "" || p.Type != "about:blank" {
		t.Errorf("incomplete problem %+v", p)
	}
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Location)
		if f.Message == "" {
			t.Errorf("no message for %s", f.Location)
		}
	}
	slices.Sort(got)
	slices.Sort(locations)
	if !slices.Equal(got, locations) {
		t.Errorf("names %q, want %q: %s", got, locations, w.Body)
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	if string(want) != string(got) {
		t.Errorf("%s differs (run the test with -update to renew it):\n%s", name, got)
	}
}

func TestOpenAPIDocument(t *testing.T) {
	doc, err := OpenAPI()
	must(t, err)
	golden(t, "../../../docs/openapi.json", doc)
	if served := newEdge(t).ask(t, doorTCP, "GET", "/openapi.json", "").Body.String(); served != string(doc) {
		t.Error("what is served is another document")
	}
}

// operations lists method and path of every call in the document, with
// parameters filled in.
func operations(t testing.TB) map[[2]string]map[string]any {
	t.Helper()
	doc, err := OpenAPI()
	must(t, err)
	var parsed struct {
		Paths map[string]map[string]map[string]any `json:"paths"`
	}
	must(t, json.Unmarshal(doc, &parsed))
	out := map[[2]string]map[string]any{}
	for path, methods := range parsed.Paths {
		path = strings.NewReplacer("{id}", "task0001", "{path}", "a/b").Replace(path)
		for method, op := range methods {
			out[[2]string{strings.ToUpper(method), path}] = op
		}
	}
	return out
}

func TestClosedByDefault(t *testing.T) {
	e := newEdge(t)
	open := []string{"/health", "/ready", "/version", "/metrics", "/openapi.json", "/api/auth/registration"}
	calls := operations(t)
	calls[[2]string{"GET", "/openapi.json"}] = nil
	calls[[2]string{"GET", "/api/nothing"}] = map[string]any{"security": []any{true}}
	calls[[2]string{"GET", "/"}] = map[string]any{"security": []any{true}}
	for call, op := range calls {
		w := e.ask(t, doorTCP, call[0], call[1], "{}", client.UserHeader+": local")
		if call[1] == "/api/auth/register" || call[1] == "/api/auth/login" {
			continue // the way to an identity
		}
		security, _ := op["security"].([]any)
		if slices.Contains(open, call[1]) {
			if w.Code != 200 || len(security) > 0 {
				t.Errorf("%v is not open: %d", call, w.Code)
			}
			continue
		}
		if len(security) == 0 {
			t.Errorf("the document has %v as open", call)
		}
		wantProblem(t, w, 401)
		if w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%v does not say how to sign in", call)
		}
	}
}

func TestActingForAnother(t *testing.T) {
	e := newEdge(t)
	tests := []struct {
		headers []string
		user    string
	}{
		{nil, "local"},
		{[]string{client.UserHeader + ": ann"}, "ann"},
		{[]string{client.UserHeader + ": local"}, "local"},
		{[]string{client.UserHeader + ": ../x"}, ""},
		{[]string{client.UserHeader + ": "}, ""},
		{[]string{client.UserHeader + ": .."}, ""},
		{[]string{client.UserHeader + ": a", client.UserHeader + ": b"}, ""},
		{[]string{client.UserHeader + ": " + strings.Repeat("a", 65)}, ""},
	}
	for _, tt := range tests {
		w := e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"alpine"}`, tt.headers...)
		if tt.user == "" {
			wantProblem(t, w, 401)
			continue
		}
		if got := decode[client.Task](t, w, 201); got.UserID != tt.user {
			t.Errorf("%q submits as %q", tt.headers, got.UserID)
		}
	}
}

// F22: another's task answers 404 on every call about a task, whatever else is
// wrong with the request.
func TestF22OwnershipComesFirst(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "ann", cluster.TaskRequest{})
	for call := range operations(t) {
		if !strings.HasPrefix(call[1], "/api/tasks/task0001") && !strings.HasPrefix(call[1], "/api/files/task0001") {
			continue
		}
		for _, query := range []string{"", "?limit=x&offset=-1&wait=soon&nonsense=1&format=rar"} {
			for _, body := range []string{"", "{", `{"nonsense": 1}`} {
				bob := []string{client.UserHeader + ": bob", "If-Match: x"}
				w := e.ask(t, doorSocket, call[0], call[1]+query, body, bob...)
				wantProblem(t, w, 404)
				missing := e.ask(t, doorSocket, call[0], strings.Replace(call[1], "task0001", "task9999", 1)+query, body, bob...)
				if w.Body.String() != missing.Body.String() {
					t.Errorf("%v tells another's task from none: %s %s", call, w.Body, missing.Body)
				}
			}
		}
	}
}

// F22 and F23 try what the document lists; what is routed beside it is written
// here, so that their tests cannot forget it.
func TestF22EveryRouteIsInTheDocument(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	var beside []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		must(t, err)
		for _, found := range regexp.MustCompile(`\.Handle(?:Func)?\("([^"]+)"`).FindAllSubmatch(source, -1) {
			beside = append(beside, string(found[1]))
		}
	}
	slices.Sort(beside)
	if want := []string{"/", "GET /openapi.json", "GET /ws/tasks", "GET /ws/tasks/{id}/logs", "GET /ws/telemetry", "GET /ws/telemetry/{id}"}; !slices.Equal(beside, want) {
		t.Errorf("beside the document: %q; add it here and to the tests of F22 and F23", beside)
	}
}

func TestUnrouted(t *testing.T) {
	e := newEdge(t)
	wantProblem(t, e.get(t, "/api/nothing"), 404)
	w := e.ask(t, doorSocket, "PUT", "/api/tasks", "{}")
	wantProblem(t, w, 405)
	if allow := w.Header().Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("Allow: %s", allow)
	}
}

func TestHealth(t *testing.T) {
	e := newEdge(t)
	if h := decode[client.Health](t, e.ask(t, doorTCP, "GET", "/health", ""), 200); h.Status != "ok" {
		t.Errorf("%+v", h)
	}
	e.core.SetInvariants(coordinator.InvariantReport{
		Violations: 2, Pending: 1, CheckedAt: time.Unix(1, 0),
		Kinds:      []coordinator.InvariantCount{{Invariant: coordinator.StoreDiffers, Violations: 2, Pending: 1, Oldest: 17 * time.Second}},
		Mismatches: []coordinator.Mismatch{{Invariant: coordinator.StoreDiffers, TaskID: "secret-task", WorkerID: "secret-worker", Violation: true}},
	})
	w := e.ask(t, doorTCP, "GET", "/health", "")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("open to all: %s", w.Body)
	}
	h := decode[client.Health](t, w, 200)
	if h.Status != "degraded" || h.Invariants == nil || h.Invariants.Violations != 2 || h.Invariants.SweptAt != nil ||
		len(h.Invariants.Kinds) != 1 || h.Invariants.Kinds[0].Oldest != "17s" || h.Invariants.Kinds[0].Message == "" {
		t.Errorf("%+v", h)
	}
	for who, sees := range map[string]int{client.UserHeader + ": ann": 0, "": 1} {
		if c := decode[client.Cluster](t, e.ask(t, doorSocket, "GET", "/api/cluster", "", who), 200); len(c.Mismatches) != sees {
			t.Errorf("%q sees %+v", who, c.Mismatches)
		}
	}
	if h := decode[client.Health](t, e.ask(t, doorTCP, "GET", "/ready", ""), 200); h.Status != "ready" {
		t.Errorf("%+v", h)
	}
	if v := decode[client.Version](t, e.ask(t, doorTCP, "GET", "/version", ""), 200); v.Version != "1.2.3" || v.Go == "" {
		t.Errorf("%+v", v)
	}
	e.core.SetNotReady(context.DeadlineExceeded)
	w = e.ask(t, doorTCP, "GET", "/ready", "")
	if p := wantProblem(t, w, 503); strings.Contains(p.Detail, "deadline") || w.Header().Get("Retry-After") == "" {
		t.Errorf("%+v", p)
	}
}

func contextOf(r *nethttp.Request, d door) context.Context {
	return context.WithValue(r.Context(), doorKey{}, d)
}

// What is measured of a request is the pattern that took it, never its path.
func TestRequestsAreMeasured(t *testing.T) {
	e := newEdge(t)
	var seen []string
	e.observe = func(method, route string, status int, d time.Duration) {
		if d < 0 {
			t.Errorf("%s took %s", route, d)
		}
		seen = append(seen, fmt.Sprint(method, " ", route, " ", status))
	}
	e.metrics = nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { _, _ = w.Write([]byte("cloudai_x 1\n")) })
	e.get(t, "/api/tasks/secret")
	e.get(t, "/no/such/secret")
	e.ask(t, doorTCP, "GET", "/api/tasks/secret", "")
	e.ask(t, doorSocket, "BREW", "/api/tasks", "")
	if w := e.ask(t, doorTCP, "GET", "/metrics", ""); w.Body.String() != "cloudai_x 1\n" {
		t.Errorf("%s", w.Body)
	}
	want := []string{"GET /api/tasks/{id} 404", "GET  404", "GET  401", "BREW  405", "GET /metrics 200"}
	if !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}
