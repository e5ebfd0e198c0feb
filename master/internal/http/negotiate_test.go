package http

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

const home = "Origin: http://localhost:3000"

func TestCORS(t *testing.T) {
	e := newEdge(t)
	asks := func(path, origin, method string) *httptest.ResponseRecorder {
		return e.from(t, here, "OPTIONS", path, "", origin, "Access-Control-Request-Method: "+method,
			"Access-Control-Request-Headers: authorization,content-type,idempotency-key,if-match")
	}
	for _, path := range []string{"/api/tasks", "/api/tasks/x", "/api/files/x/content/y", "/health"} {
		w := asks(path, home, "PATCH")
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "http://localhost:3000" ||
			w.Header().Get("Access-Control-Allow-Methods") != "PATCH" || w.Header().Get("Access-Control-Allow-Credentials") != "true" ||
			!strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "if-match") || w.Header().Get("Access-Control-Max-Age") != "600" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		for _, origin := range []string{"Origin: https://evil.example", "Origin: null", "Origin: http://localhost:3001"} {
			if w := asks(path, origin, "PATCH"); w.Header().Get("Access-Control-Allow-Origin") != "" || w.Body.Len() > 0 {
				t.Errorf("%s from %s: %d %v", path, origin, w.Code, w.Header())
			}
		}
	}
	if w := asks("/api/tasks", home, "TRACE"); w.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("TRACE: %v", w.Header())
	}
	bearer, _ := e.signUp(t, "ann")
	for _, path := range []string{"/api/tasks", "/api/tasks?limit=0", "/api/nothing"} { // refusals can be read too
		w := e.from(t, here, "GET", path, "", bearer, home)
		if w.Header().Get("Access-Control-Allow-Origin") != "http://localhost:3000" || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Etag") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := e.from(t, here, "GET", "/api/tasks", "", home); w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("nobody: %d %v", w.Code, w.Header())
	}
	// OPTIONS that is no preflight is a method like any other.
	wantProblem(t, e.from(t, here, "OPTIONS", "/api/tasks", "", bearer), 405)

	none, err := New(Config{Core: e.core, Accounts: e.accounts})
	must(t, err)
	e.Server = none
	if w := asks("/api/tasks", home, "GET"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without any site: %v", w.Header())
	}
}

func unzipped(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	z, err := gzip.NewReader(w.Body)
	must(t, err)
	data, err := io.ReadAll(z)
	must(t, err)
	return string(data)
}

func TestCompression(t *testing.T) {
	e := newEdge(t)
	bearer, s := e.signUp(t, "ann")
	for n := range 20 {
		e.submit(t, cluster.UserID(s.User.ID), cluster.TaskRequest{Name: fmt.Sprint(n)})
	}
	const takes = "Accept-Encoding: gzip"
	plain := e.from(t, here, "GET", "/api/tasks", "", bearer)
	w := e.from(t, here, "GET", "/api/tasks", "", bearer, takes)
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Encoding") {
		t.Fatalf("%v", w.Header())
	}
	small := w.Body.Len()
	if got := unzipped(t, w); got != plain.Body.String() || small > plain.Body.Len()/4 {
		t.Errorf("%d bytes of %d: %.100s", small, plain.Body.Len(), got)
	}
	if w := e.from(t, here, "GET", "/openapi.json", "", takes); unzipped(t, w) != string(e.openAPI) {
		t.Error("another document")
	}
	if w := e.from(t, here, "GET", "/api/export", "", bearer, takes); len(ndjson[client.ExportedTask](t, unzipped(t, w))) != 20 {
		t.Error("the export is not whole")
	}
	for _, path := range []string{"/api/tasks/task0001", "/api/auth/me", "/api/tasks/task0001/logs"} {
		w := e.from(t, here, "GET", path, "", bearer, takes)
		if w.Code != 200 || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if etag := e.from(t, here, "GET", "/api/tasks/task0001", "", bearer, takes).Header().Get("ETag"); etag != `"1"` {
		t.Errorf("ETag %s", etag)
	}
}

// A log that is followed arrives line by line, also for those who take gzip.
func TestFollowedLogIsNotHeldBack(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	base := strings.Replace(e.served(t), "ws", "http", 1)
	req, err := nethttp.NewRequestWithContext(t.Context(), "GET", base+"/api/tasks/task0001/logs?follow=true", nil)
	must(t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Authorization", strings.TrimPrefix(bearer, "Authorization: "))
	resp, err := nethttp.DefaultClient.Do(req)
	must(t, err)
	defer nethttp.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, "o:one\n")
	line := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != "one\n" {
		t.Errorf("%q %v", line, err)
	}
	l.seal(t)
}

func TestRequestIDs(t *testing.T) {
	e := newEdge(t)
	var logged bytes.Buffer
	e.Server.log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if w := e.get(t, "/api/tasks", client.RequestHeader+": mine-1"); w.Header().Get(client.RequestHeader) != "mine-1" {
		t.Errorf("%v", w.Header())
	}
	if !strings.Contains(logged.String(), "request_id=mine-1") {
		t.Errorf("the log: %s", &logged)
	}
	seen := map[string]bool{}
	for _, odd := range []string{"", "a b", "x\x1b[2J", strings.Repeat("a", 65), "é"} {
		id := e.get(t, "/api/nothing", client.RequestHeader+": "+odd).Header().Get(client.RequestHeader)
		if !requestID.MatchString(id) || id == odd || seen[id] {
			t.Errorf("%q: %q", odd, id)
		}
		seen[id] = true
	}
}
