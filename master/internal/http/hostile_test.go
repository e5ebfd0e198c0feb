package http

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
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

// shape is what the API's document says of a value.
type shape struct {
	Ref        string `json:"$ref"`
	Properties map[string]shape
	Items      *shape
}

// bodyFields are the fields of every body that the document has, by call.
func bodyFields(t testing.TB) map[[2]string]map[string]shape {
	t.Helper()
	doc, err := OpenAPI()
	must(t, err)
	var parsed struct {
		Paths map[string]map[string]struct {
			RequestBody *struct {
				Content map[string]struct{ Schema shape }
			}
		}
		Components struct{ Schemas map[string]shape }
	}
	must(t, json.Unmarshal(doc, &parsed))
	resolve := func(s shape) shape {
		if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" {
			return parsed.Components.Schemas[name]
		}
		return s
	}
	out := map[[2]string]map[string]shape{}
	for path, methods := range parsed.Paths {
		for method, op := range methods {
			if op.RequestBody == nil {
				continue
			}
			fields := map[string]shape{}
			for name, s := range resolve(op.RequestBody.Content["application/json"].Schema).Properties {
				if s.Items != nil {
					item := resolve(*s.Items)
					s.Items = &item
				}
				fields[name] = s
			}
			out[[2]string{strings.ToUpper(method), strings.Replace(path, "{id}", "task0001", 1)}] = fields
		}
	}
	if len(out) < 9 {
		t.Fatalf("the document has only %d bodies", len(out))
	}
	return out
}

// variants are a hostile value itself, and within whatever the field may hold.
func variants(s shape, value string) []string {
	out := []string{value, `[` + value + `]`, `{"a":` + value + `}`, `["x",` + value + `,"x"]`}
	if s.Items != nil {
		for name := range s.Items.Properties {
			out = append(out, fmt.Sprintf(`[{%q:%s}]`, name, value))
		}
	}
	return out
}

// hostileEdge is an edge with an administrator and what the calls are about.
func hostileEdge(t *testing.T) (e *edge, bearer string, target func(path string) string) {
	t.Helper()
	e = newEdge(t)
	bearer, _ = e.signUp(t, "root")
	_, other := e.signUp(t, "other")
	e.core.SetWorkers(aWorker("w1", 1))
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	waiting := e.submit(t, "ann", cluster.TaskRequest{})
	return e, bearer, func(path string) string {
		of := string(id)
		switch {
		case strings.HasPrefix(path, "/api/users/"):
			of = other.User.ID
		case strings.HasPrefix(path, "/api/workers/"), strings.HasPrefix(path, "/telemetry/"):
			of = "w1"
		case path == "/api/tasks/task0001":
			of = string(waiting)
		}
		return strings.Replace(path, "task0001", of, 1)
	}
}

// F23: every field of every body with every hostile value, itself and nested:
// taken, or refused with a complaint about that very field; never a crash, never
// half stored.
func TestF23HostileFields(t *testing.T) {
	e, bearer, target := hostileEdge(t)
	stored, tried := 0, 0
	for call, fields := range bodyFields(t) {
		base := goodBody(call)
		if base == "" {
			t.Errorf("%v: goodBody has none for it", call)
			continue
		}
		base = strings.TrimSuffix(strings.TrimPrefix(base, "{"), "}")
		// Calls about accounts also say no for what is true: a wrong password, too
		// many of them, a name that is taken.
		accounts := strings.HasPrefix(call[1], "/api/auth/") || strings.HasPrefix(call[1], "/api/users")
		for field, s := range fields {
			for name, value := range hostile {
				for n, value := range variants(s, value) {
					if accounts && n > 0 && s.Items == nil && n != 2 {
						continue // one wrong type is as wrong as the other
					}
					tried++
					body := "{" + strings.Join(without(base, field, fmt.Sprintf("%q:%s", field, value)), ",") + "}"
					w := e.from(t, here, call[0], target(call[1]), body, bearer)
					switch {
					case w.Code < 300:
						stored++
					case w.Code == 422:
						if !complainsOf(t, w, field) && !(field == "new_password" && complainsOf(t, w, "old_password")) {
							t.Errorf("%v, %s is %s: %s", call, field, name, w.Body)
						}
					case w.Code == 400 && (name == "deep" || name == "beyond"), accounts && (w.Code == 401 || w.Code == 403 || w.Code == 409 || w.Code == 429):
					default:
						t.Errorf("%v, %s is %s: %d %s", call, field, name, w.Code, w.Body)
					}
					if !utf8.Valid(w.Body.Bytes()) || strings.ContainsAny(w.Body.String(), "\x00\x1b\x07") {
						t.Errorf("%v, %s is %s: the answer would drive a terminal: %q", call, field, name, w.Body)
					}
				}
			}
			for _, twice := range []string{`null`, `1`, `"x"`} {
				body := fmt.Sprintf(`{%q:%s,%q:%s}`, field, twice, field, twice)
				if w := e.from(t, here, call[0], target(call[1]), body, bearer); w.Code != 422 || !complainsOf(t, w, field) {
					t.Errorf("%v, %s twice: %d %s", call, field, w.Code, w.Body)
				}
			}
		}
		e.refusesAll(t, call[0], target(call[1]), fields, bearer)
	}
	if stored < 50 {
		t.Errorf("only %d of %d bodies were taken: the test says little", stored, tried)
	}
	for _, r := range e.core.Submits() {
		if _, err := r.Spec(); err != nil {
			t.Errorf("%+v is stored: %v", r, err)
		}
	}
	t.Logf("%d bodies tried, %d of them taken", tried, stored)
}

// refusesAll tries bodies that are wrong as a whole: no document, too large, or
// with every field wrong at once, each of which has to be named.
func (e *edge) refusesAll(t *testing.T, method, path string, fields map[string]shape, bearer string) {
	t.Helper()
	for _, body := range []string{
		`{`, `[]`, `"x"`, `1`, `null`, `{} {}`, `{"a":1}}`, "\xff", `{'a':1}`, `{"a":01}`, "{\"a\":\"\x01\"}", strings.Repeat(`{"a":`, 3000),
		`{"a":[` + strings.Repeat("1,", 6000) + `1]`,
	} {
		if w := e.from(t, here, method, path, body, bearer); w.Code != 400 {
			t.Errorf("%s %s with %.40q: %d %s", method, path, body, w.Code, w.Body)
		}
	}
	limit := maxBody
	switch path {
	case "/api/tasks":
		limit = maxTaskBody
	case "/api/tasks/batch":
		limit = maxBatchBody
	}
	if w := e.from(t, here, method, path, `{"a":"`+strings.Repeat("x", limit)+`"}`, bearer); w.Code != 413 {
		t.Errorf("%s %s with %d bytes: %d %s", method, path, limit, w.Code, w.Body)
	}
	var all []string
	for field := range fields {
		all = append(all, fmt.Sprintf(`%q:[[{}]]`, field))
	}
	all = append(all, `"no such field":1`)
	w := e.from(t, here, method, path, "{"+strings.Join(all, ",")+"}", bearer)
	if w.Code != 422 {
		t.Errorf("%s %s with all fields wrong: %d %s", method, path, w.Code, w.Body)
		return
	}
	for field := range fields {
		if !complainsOf(t, w, field) {
			t.Errorf("%s %s with all fields wrong does not name %s: %s", method, path, field, w.Body)
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
