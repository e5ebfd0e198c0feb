package http

import (
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// hostile are JSON values that no field expects, or few.
var hostile = map[string]string{
	"null": `null`, "empty text": `""`, "true": `true`, "empty list": `[]`, "list": `["x"]`, "numbers": `[1,{}]`, "empty object": `{}`,
	"object": `{"$gt":""}`, "negative": `-1`, "zero": `0`, "fraction": `1.5`, "huge": `1e308`, "beyond": `1e999`, "integer": `99999999999999999999`,
	"quotes": `"'\" OR 1=1 --"`, "newline": `"a\nb"`, "NUL": `"a\u0000b"`, "escape": `"\u001b]0;owned\u0007"`, "lone surrogate": `"\ud800"`,
	"emoji": `"🦊🦊"`, "right to left": `"\u202egnp.exe"`, "path": `"../../etc/passwd"`, "space": `" "`, "number as text": `"1"`,
	"deep": `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`,
}

// fieldsIn are the JSON names of a body's fields.
func fieldsIn(body any) (names []string) {
	t := reflect.TypeOf(body)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Every field of every body with every hostile value: taken, or refused with a
// complaint about that very field; never a crash, never half stored.
func TestHostileFields(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	stored := 0
	for _, c := range []struct {
		method, path, base string
		body               any
	}{
		{"POST", "/api/tasks", `"docker_image":"alpine"`, client.TaskRequest{}},
		{"PATCH", "/api/tasks/" + string(id), ``, client.TaskChange{}},
		{"POST", "/api/auth/login", `"email":"x@y.z","password":"wrong one"`, client.Credentials{}},
		{"POST", "/api/auth/tokens", `"name":"x"`, client.TokenRequest{}},
		{"POST", "/api/workers", `"worker_id":"w9","address":"10.0.0.9:1"`, client.WorkerRequest{}},
	} {
		for _, field := range fieldsIn(c.body) {
			for name, value := range hostile {
				body := "{" + strings.Join(without(c.base, field, fmt.Sprintf("%q:%s", field, value)), ",") + "}"
				w := e.from(t, here, c.method, c.path, body, bearer)
				switch {
				case w.Code < 300:
					stored++
				case w.Code == 422:
					if !complainsOf(t, w, field) {
						t.Errorf("%s %s, %s is %s: %s", c.method, c.path, field, name, w.Body)
					}
				case w.Code == 400 && (name == "deep" || name == "beyond"), w.Code == 401 && c.path == "/api/auth/login":
				default:
					t.Errorf("%s %s, %s is %s: %d %s", c.method, c.path, field, name, w.Code, w.Body)
				}
				if !utf8.Valid(w.Body.Bytes()) || strings.ContainsAny(w.Body.String(), "\x00\x1b\x07") {
					t.Errorf("%s %s, %s is %s: the answer would drive a terminal: %q", c.method, c.path, field, name, w.Body)
				}
			}
			for _, twice := range []string{`null`, `1`, `"x"`} {
				body := fmt.Sprintf(`{%q:%s,%q:%s}`, field, twice, field, twice)
				if w := e.from(t, here, c.method, c.path, body, bearer); w.Code != 422 || !complainsOf(t, w, field) {
					t.Errorf("%s %s, %s twice: %d %s", c.method, c.path, field, w.Code, w.Body)
				}
			}
			big := fmt.Sprintf(`{%q:%q}`, field, strings.Repeat("x", 10<<20))
			if w := e.from(t, here, c.method, c.path, big, bearer); w.Code != 413 {
				t.Errorf("%s %s, %s of 10 MB: %d", c.method, c.path, field, w.Code)
			}
		}
	}
	if stored < 50 {
		t.Errorf("only %d bodies were taken: the test says little", stored)
	}
	for _, r := range e.core.Submits() {
		if _, err := r.Spec(); err != nil {
			t.Errorf("%+v is stored: %v", r, err)
		}
	}
}

// without is a body's members but the one that is put in its place.
func without(base, field, instead string) []string {
	members := []string{instead}
	for member := range strings.SplitSeq(base, ",") {
		if member != "" && !strings.HasPrefix(member, fmt.Sprintf("%q:", field)) {
			members = append(members, member)
		}
	}
	return members
}

// complainsOf reports whether a refusal names the field.
func complainsOf(t *testing.T, w *httptest.ResponseRecorder, field string) bool {
	t.Helper()
	var p client.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for _, f := range p.Errors {
		if f.Location == field || strings.HasPrefix(f.Location, field+".") || strings.HasPrefix(f.Location, field+"[") {
			return true
		}
		if field == "args" && f.Location == "command" { // either one
			return true
		}
	}
	return false
}

// Every parameter of every list with hostile values: a list, or a complaint
// that names it.
func TestHostileQueries(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	e.core.SetWorkers(aWorker("w1", 1))
	values := []string{
		"", "%00", "%ff", "-1", "0", "1001", "1e308", "NaN", "99999999999999999999", "x", "a%0ab", "%1b%5b2J", "%f0%9f%a6%8a",
		"%e2%80%aex", "'%20OR%201=1", "../..", strings.Repeat("x", 10000),
	}
	for path, names := range map[string][]string{
		"/api/tasks": {
			"limit", "cursor", "status", "worker_id", "user_id", "name", "label", "failure", "since", "until", "q", "sort", "nonsense",
		},
		"/api/task-ids":           {"prefix", "limit"},
		"/api/workers":            {"limit", "cursor"},
		"/api/workers/w1/tasks":   {"limit", "cursor", "status"},
		"/api/files":              {"limit", "cursor"},
		"/api/users":              {"limit", "cursor"},
		"/api/auth/tokens":        {"limit", "cursor"},
		"/api/cluster":            {"since"},
		"/telemetry":              {"x"},
		"/api/cluster/join":       {"x"},
		"/api/workers/w1":         {"x"},
		"/api/auth/me":            {"x"},
		"/api/workers/w1/metrics": {"x"},
	} {
		for _, name := range names {
			for _, value := range values {
				w := e.from(t, here, "GET", path+"?"+name+"="+value, "", bearer)
				if w.Code != 200 && (w.Code != 422 || !complainsOf(t, w, name)) {
					t.Errorf("GET %s?%s=%.40s: %d %s", path, name, value, w.Code, w.Body)
				}
				twice := e.from(t, here, "GET", path+"?"+name+"=1&"+name+"=1", "", bearer)
				if name != "label" && (twice.Code != 422 || !complainsOf(t, twice, name)) {
					t.Errorf("GET %s with %s twice: %d %s", path, name, twice.Code, twice.Body)
				}
			}
		}
	}
}

// Ids in paths are anything at all; none of them is found, and none is more
// than not found.
func TestHostilePaths(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	for _, id := range []string{"%00", "%ff", "..%2f..", "%2e%2e", "a%0ab", "%1b", strings.Repeat("x", 300), "%f0%9f%a6%8a", "*", "%25"} {
		for _, c := range [][2]string{
			{"GET", "/api/tasks/%s"},
			{"DELETE", "/api/tasks/%s"},
			{"GET", "/api/tasks/%s/logs"},
			{"GET", "/api/tasks/%s/metrics"},
			{"POST", "/api/tasks/%s/retry"},
			{"PATCH", "/api/tasks/%s"},
			{"GET", "/api/files/%s"},
			{"GET", "/api/files/%s/content/x"},
			{"GET", "/api/workers/%s"},
			{"DELETE", "/api/workers/%s"},
			{"POST", "/api/workers/%s/drain"},
			{"GET", "/telemetry/%s"},
			{"PATCH", "/api/users/%s"},
			{"DELETE", "/api/users/%s"},
			{"DELETE", "/api/auth/tokens/%s"},
			{"GET", "/ws/telemetry/%s"},
		} {
			w := e.from(t, here, c[0], fmt.Sprintf(c[1], id), goodBody([2]string{c[0], fmt.Sprintf(c[1], "task0001")}), bearer)
			switch w.Code {
			case nethttp.StatusNotFound, nethttp.StatusUnprocessableEntity, nethttp.StatusTemporaryRedirect, nethttp.StatusMovedPermanently:
			default:
				t.Errorf("%s %s with %.20s: %d %s", c[0], c[1], id, w.Code, w.Body)
			}
		}
	}
}
