package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/logs"
)

func TestSentinels(t *testing.T) {
	tests := []struct {
		err    error
		status int
	}{
		{cluster.ErrNotFound, 404},
		{cluster.ErrUnknownTask, 404},
		{cluster.ErrGone, 410},
		{cluster.ErrConflict, 409},
		{cluster.ErrIllegalTransition, 409},
		{cluster.ErrStaleAttempt, 409},
		{cluster.ErrClone, 409},
		{cluster.ErrUnknownSession, 409},
		{cluster.ErrInvalid, 422},
		{cluster.Invalid("name", "is odd"), 422},
		{cluster.ErrUnauthenticated, 401},
		{cluster.ErrDenied, 403},
		{cluster.ErrPrecondition, 412},
		{cluster.ErrInFlight, 409},
		{cluster.ErrBusy, 429},
		{&cluster.WaitError{Said: "later", After: time.Minute}, 429},
		{cluster.ErrUnavailable, 503},
		{cluster.ErrQuota, 507},
		{cluster.ErrNoRoom, 507},
		{logs.ErrRange, 416},
		{context.DeadlineExceeded, 503},
		{context.Canceled, 503},
		{newProblem(418, "teapot"), 418},
		{errors.New("secret of the house"), 500},
	}
	for _, tt := range tests {
		var log bytes.Buffer
		p := problemOf(fmt.Errorf("%w: more", tt.err), slog.New(slog.NewTextHandler(&log, nil)))
		if p.Status != tt.status || p.Detail == "" {
			t.Errorf("%v gives %d %q, want %d", tt.err, p.Status, p.Detail, tt.status)
		}
		if strings.Contains(p.Detail, "secret") {
			t.Error("an internal error is shown")
		}
		if logged := strings.Contains(log.String(), "secret"); logged != (tt.status == 500) {
			t.Errorf("%v: logged %v", tt.err, logged)
		}
		if (p.headers.Get("Retry-After") != "") != (tt.status == 503 || tt.status == 429 || errors.Is(tt.err, cluster.ErrNoRoom) || errors.Is(tt.err, cluster.ErrInFlight)) {
			t.Errorf("%v: headers %v", tt.err, p.headers)
		}
	}
	if got := problemOf(fmt.Errorf("%w: task x is over already", cluster.ErrConflict), nil).Detail; got != "task x is over already" {
		t.Errorf("detail %q", got)
	}
}

// goodBody is a body that the call takes.
func goodBody(call [2]string) string {
	return map[[2]string]string{
		{"POST", "/api/tasks"}:           `{"docker_image":"alpine"}`,
		{"PATCH", "/api/tasks/task0001"}: `{"priority":1}`,
		{"POST", "/api/workers"}:         `{"worker_id":"w","address":"h:1"}`,
		{"POST", "/api/users"}:           `{"name":"x","email":"x@y.z","password":"long enough"}`,
		{"PATCH", "/api/users/task0001"}: `{"name":"x"}`,
		{"POST", "/api/auth/tokens"}:     `{"name":"x"}`,
		{"POST", "/api/auth/password"}:   `{"old_password":"x","new_password":"long enough"}`,
		{"POST", "/api/auth/register"}:   `{"name":"x","email":"x@y.z","password":"long enough"}`,
		{"POST", "/api/auth/login"}:      `{"email":"x@y.z","password":"long enough"}`,
		{"POST", "/api/tasks/batch"}:     `{"tasks":[{"docker_image":"alpine"}]}`,
		{"POST", "/api/tasks/cancel"}:    `{"filter":{"name":"nobody"},"dry_run":true}`,
		{"POST", "/api/cluster/prune"}:   `{"dry_run":true}`,
	}[call]
}

// Errors of the core and of the accounts reach the caller by way of every
// route.
func TestCoreErrors(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "local", cluster.TaskRequest{})
	e.core.FailWith(fmt.Errorf("%w: the disk is away", cluster.ErrUnavailable))
	e.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{Err: db.ErrUnavailable} })
	for call := range operations(t) {
		about := strings.HasPrefix(call[1], "/api/auth/") || strings.HasPrefix(call[1], "/api/users") || call[1] == "/api/audit"
		if openPaths[call[1]] && !about || call[1] == "/api/cluster/join" || call[1] == "/api/auth/logout" || call[1] == "/api/auth/registration" {
			continue // they ask nobody
		}
		w := e.ask(t, doorSocket, call[0], call[1], goodBody(call))
		p := wantProblem(t, w, nethttp.StatusServiceUnavailable)
		if !about && p.Detail != "the disk is away" || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%v: %+v %v", call, p, w.Header())
		}
	}
}

// What the store says is for the log.
func TestStoresCauseIsNotShown(t *testing.T) {
	var log bytes.Buffer
	err := cluster.StoreUnavailable(errors.New("/secret/place/cloudai.db: disk I/O error"))
	p := problemOf(fmt.Errorf("reading: %w", err), slog.New(slog.NewTextHandler(&log, nil)))
	if p.Status != 503 || strings.Contains(p.Detail, "secret") || !strings.Contains(log.String(), "/secret/place") {
		t.Errorf("%+v, logged %s", p, log.String())
	}
	log.Reset()
	err = cluster.StoreFull(errors.New("/secret/place/cloudai.db: database or disk is full"))
	p = problemOf(fmt.Errorf("submitting: %w", err), slog.New(slog.NewTextHandler(&log, nil)))
	if p.Status != 507 || strings.Contains(p.Detail, "secret") || !strings.Contains(p.Detail, "disk is full") || !strings.Contains(log.String(), "/secret/place") {
		t.Errorf("%+v, logged %s", p, log.String())
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	e := newEdge(t)
	e.mux.HandleFunc("GET /boom", func(nethttp.ResponseWriter, *nethttp.Request) { panic("secret") })
	if p := wantProblem(t, e.get(t, "/boom"), 500); strings.Contains(p.Detail, "secret") {
		t.Error("the panic is shown")
	}
	e.mux.HandleFunc("GET /late", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.WriteHeader(nethttp.StatusOK)
		panic("secret")
	})
	defer func() {
		if why, _ := recover().(error); !errors.Is(why, nethttp.ErrAbortHandler) {
			t.Error("a reply that has begun is not broken off")
		}
	}()
	e.get(t, "/late")
}
