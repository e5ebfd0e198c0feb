package http

import (
	nethttp "net/http"
	"strings"
	"testing"
)

type fakePages struct{}

func (fakePages) IsFile(path string) bool { return strings.HasPrefix(path, "/assets/") }

func (fakePages) ServeHTTP(w nethttp.ResponseWriter, _ *nethttp.Request) {
	_, _ = w.Write([]byte("a page"))
}

// Browsers get pages without an identity; everything of the API stays as closed
// as it was, and programs never get a page for a path that is not there.
func TestPagesBesideAPI(t *testing.T) {
	e := newEdge(t)
	e.pages = fakePages{}
	const browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		method, path, accept string
		page                 bool
		status               int
	}{
		{"GET", "/", "Accept: */*", true, 200},
		{"HEAD", "/", browser, true, 200},
		{"GET", "/tasks/abc", browser, true, 200},
		{"GET", "/assets/x.js", "Accept: */*", true, 200},
		{"GET", "/tasks/abc", "Accept: application/json", false, 401},
		{"POST", "/tasks", browser, false, 401},
		{"GET", "/api/tasks", browser, false, 401},
		{"GET", "/api/nothing", browser, false, 401},
		{"GET", "/ws/nothing", browser, false, 401},
		{"GET", "/telemetry", browser, false, 401},
		{"GET", "/health", browser, false, 200},
		{"GET", "/openapi.json", browser, false, 200},
	} {
		w := e.ask(t, doorTCP, c.method, c.path, "", c.accept)
		if w.Code != c.status || (w.Body.String() == "a page") != c.page {
			t.Errorf("%s %s (%s): %d %.60s", c.method, c.path, c.accept, w.Code, w.Body)
		}
	}
}

// Who opens the first page of a new master is told to make the administrator's
// account, and asked for the setup code only where it is needed.
func TestRegistrationState(t *testing.T) {
	e := newEdge(t)
	is := func(when, want string, headers ...string) {
		t.Helper()
		w := e.ask(t, doorTCP, "GET", "/api/auth/registration", "", headers...)
		if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", when, w.Code, got, want)
		}
	}
	is("at first, from elsewhere", `{"open":true,"first":true,"setup_code":true}`, "X-Forwarded-For: 10.0.0.9")
	body := `{"name": "Ann", "email": "ann@example.org", "password": "correct horse", "setup_code": "` + e.accounts.SetupCode() + `"}`
	if w := e.ask(t, doorTCP, "POST", "/api/auth/register", body); w.Code != 201 {
		t.Fatalf("register: %d %s", w.Code, w.Body)
	}
	is("afterwards", `{"open":true,"first":false,"setup_code":false}`, "X-Forwarded-For: 10.0.0.9")
}
