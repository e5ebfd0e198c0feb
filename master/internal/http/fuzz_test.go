package http

import (
	"encoding/json"
	nethttp "net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"cloudai/master/client"
)

// What the strict decoder takes without a fault, the standard one takes too,
// and reads the same.
func FuzzTaskBody(f *testing.F) {
	f.Add([]byte(`{"docker_image":"alpine","args":["a"],"env":{"A":"b"},"cpu_required":1.5,"inputs":[{"path":"a","content":"x"}]}`))
	f.Add([]byte(`{"a":1,"a":[{"b":null}],"memory_required":1e3}`))
	f.Add([]byte(`{"docker_image":"\ud800"}`))
	f.Add([]byte(strings.Repeat(`{"env":`, 40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, lenient client.TaskRequest
		faults, err := decodeJSON(data, &strict)
		if _, _, _, refused := taskRequest(data, maxValues); (err != nil || len(faults) > 0) != (refused != nil) {
			t.Fatalf("decoder says %v %v, request says %v", err, faults, refused)
		}
		if err != nil || len(faults) > 0 {
			for _, fault := range faults {
				if fault.Message == "" || unreadable(fault.Location) {
					t.Fatalf("bad entry %+v", fault)
				}
			}
			return
		}
		if err := json.Unmarshal(data, &lenient); err != nil {
			// The one thing more that we take: whole numbers written otherwise.
			if !strings.ContainsAny(string(data), "eE.") {
				t.Fatalf("%v in %q", err, data)
			}
			return
		}
		if len(lenient.Args) == 0 && len(strict.Args) == 0 {
			lenient.Args = strict.Args
		}
		if !reflect.DeepEqual(strict, lenient) {
			t.Fatalf("strict %+v, lenient %+v", strict, lenient)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("listTasks", encodeCursor("listTasks", place{at: 1, id: "x"}))
	f.Add("listFiles", "AAAA")
	f.Add("listTasks", encodeCursor("listTasks", place{at: 1, id: "x"})[:7]+"\r"+encodeCursor("listTasks", place{at: 1, id: "x"})[7:])
	f.Fuzz(func(t *testing.T, kind, text string) {
		p, ok := decodeCursor(kind, text)
		if ok && encodeCursor(kind, p) != text {
			t.Fatalf("%q is not the only spelling of %+v", text, p)
		}
		if ok && kind != "listTasks" {
			if _, foreign := decodeCursor("listTasks", text); foreign {
				t.Fatalf("%q of %s passes for listTasks", text, kind)
			}
		}
	})
}

// Whatever the query, the answer is a list or names what is wrong.
func FuzzTaskQuery(f *testing.F) {
	e := newEdge(f)
	f.Add("limit=5&status=queued,running&label=a%3Db&since=2026-01-02T03:04:05Z")
	f.Add("limit=1e308&limit=&%00=%ff&cursor=AAAA&sort=-created_at")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(nethttp.MethodGet, "/api/tasks", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r.WithContext(contextOf(r, doorSocket)))
		if w.Code != 200 && w.Code != 422 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == 422 && len(decode[client.Problem](t, w, 422).Errors) == 0 {
			t.Fatalf("names nothing: %s", w.Body)
		}
	})
}

// Whatever the body, an API token is made or what is wrong is named.
func FuzzTokenBody(f *testing.F) {
	e := newEdge(f)
	bearer, _ := e.signUp(f, "root")
	f.Add(`{"name":"x","scopes":["read","admin"],"expires_in":"1h"}`)
	f.Add(`{"name":"x","expires_at":"2101-01-01T00:00:00Z"}`)
	f.Add(`{"name":"\u001b","scopes":[{}],"expires_in":"-1ns","x":1,"x":2}`)
	f.Fuzz(func(t *testing.T, body string) {
		w := e.from(t, here, "POST", "/api/auth/tokens", body, bearer)
		switch w.Code {
		case 201:
			made := decode[client.NewAPIToken](t, w, 201)
			e.from(t, here, "DELETE", "/api/auth/tokens/"+made.ID, "", bearer) // there is room for a hundred
		case 400:
		default:
			if len(decode[client.Problem](t, w, 422).Errors) == 0 {
				t.Fatalf("names nothing: %s", w.Body)
			}
		}
	})
}

// Whatever stands in the headers, nobody becomes somebody by it.
func FuzzCredentials(f *testing.F) {
	e := newEdge(f)
	_, s := e.signUp(f, "root")
	f.Add("Bearer "+s.Token+"x", sessionCookie+"=x", "local", "::1")
	f.Add("bearer\t"+s.Token[:20], sessionCookie+"="+s.Token[1:], "a@b", "x")
	f.Add("Bearer "+s.Token[:len(s.Token)-5]+"\r"+s.Token[len(s.Token)-5:], "", "", "")
	f.Fuzz(func(t *testing.T, authorization, cookie, user, forwarded string) {
		if strings.Contains(authorization+cookie, s.Token) {
			t.Skip("that is the real one")
		}
		r := httptest.NewRequest(nethttp.MethodGet, "/api/auth/me", nil)
		r.Header["Authorization"], r.Header["Cookie"] = []string{authorization}, []string{cookie}
		r.Header[client.UserHeader], r.Header["X-Forwarded-For"] = []string{user}, []string{forwarded}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
