package http

import (
	"cmp"
	"fmt"
	"maps"
	nethttp "net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// hidden is a word in ann's task, its log and its file, which others must not see.
const hidden = "nobody-elses-business"

// fuzzEdge is an edge with one finished task, task0001, of ann.
func fuzzEdge(f *testing.F) *edge {
	e := newEdge(f)
	id := e.submit(f, "ann", cluster.TaskRequest{Name: hidden})
	must(f, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(f, "o:"+hidden+"\n", "e:\xff\x00\n")
	must(f, e.core.Finish(id, ptr(0), "", ""))
	e.publish(f, "ann", id, map[string]string{"a/b": hidden})
	l.seal(f)
	e.core.SetWorkers(aWorker("w1", 1))
	return e
}

// call sends a request as it is; the path and the query are not looked at before.
func (e *edge) call(d door, method string, u *url.URL, body string, header nethttp.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL, r.RequestURI = u, u.RequestURI()
	for name, values := range header {
		r.Header[nethttp.CanonicalHeaderKey(name)] = values
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r.WithContext(contextOf(r, d)))
	return w
}

// checkAnswer is what holds of every answer: it is not the master's fault, and a
// refusal says why.
func checkAnswer(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	switch {
	case w.Code >= 500:
		t.Fatalf("%s: %d %s", what, w.Code, w.Body)
	case w.Code >= 400 && w.Header().Get("Content-Type") == "application/problem+json":
		if p := decode[client.Problem](t, w, w.Code); p.Detail == "" || w.Code == 422 && len(p.Errors) == 0 {
			t.Fatalf("%s: a refusal without a reason: %s", what, w.Body)
		}
	case w.Code >= 400 && w.Body.Len() > 0:
		t.Fatalf("%s: %d is no problem+json: %s", what, w.Code, w.Body)
	}
	for name, values := range w.Header() {
		if unreadable(strings.Join(append(values, name), "")) {
			t.Fatalf("%s: header %q: %q", what, name, values)
		}
	}
}

// sortedCalls are the operations that fit, always in the same order.
func sortedCalls(f *testing.F, fits func(call [2]string) bool) [][2]string {
	var calls [][2]string
	for call := range maps.Keys(operations(f)) {
		if fits(call) {
			calls = append(calls, call)
		}
	}
	slices.SortFunc(calls, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return calls
}

// Whatever the body of a call, also of a batch or a cancel by filter, it is
// carried out or what is wrong is named. Calls with passwords are left out: each
// costs a hash, and they have a target of their own words in FuzzCredentials.
func FuzzBodies(f *testing.F) {
	e := fuzzEdge(f)
	bodies := bodyFields(f)
	calls := sortedCalls(f, func(call [2]string) bool {
		_, has := bodies[call]
		return has && (!strings.HasPrefix(call[1], "/api/auth/") || call[1] == "/api/auth/tokens")
	})
	for i, call := range calls {
		f.Add(uint8(i), goodBody(call), "")
		f.Add(uint8(i), strings.Replace(goodBody(call), ":", `:[{"$gt":""}],"x":`, 1), "key")
	}
	cancel := uint8(slices.Index(calls, [2]string{"POST", "/api/tasks/cancel"}))
	f.Add(cancel, `{"filter":{"status":["queued"],"labels":{"team":"blue"},"since":"2026-01-02T03:04:05Z"},"dry_run":true}`, "")
	f.Add(uint8(slices.Index(calls, [2]string{"POST", "/api/tasks/batch"})), `{"tasks":[{"docker_image":"a"},{"docker_image":1},{}],"atomic":true}`, "k")
	f.Fuzz(func(t *testing.T, n uint8, body, key string) {
		call := calls[int(n)%len(calls)]
		header := nethttp.Header{"Content-Type": {"application/json"}}
		if key != "" {
			header[client.KeyHeader] = []string{key}
		}
		w := e.call(doorSocket, call[0], &url.URL{Path: call[1]}, body, header)
		checkAnswer(t, fmt.Sprint(call), w)
		if w.Code == 201 && strings.HasPrefix(call[1], "/api/auth/tokens") {
			e.call(doorSocket, "DELETE", &url.URL{Path: call[1] + "/" + decode[client.NewAPIToken](t, w, 201).ID}, "", nil) // there is room for a hundred
		}
	})
}

// Whatever the query of a call that reads, cursors and offsets among it, the
// answer is what was asked for or a refusal.
func FuzzQueries(f *testing.F) {
	e := fuzzEdge(f)
	calls := sortedCalls(f, func(call [2]string) bool { return call[0] == "GET" && !openPaths[call[1]] })
	for i, query := range []string{
		"limit=5&cursor=AAAA", "offset=3&tail=1&stream=stderr&timestamps=true&q=x", "since=1h&step=5s", "format=zip", "wait=1s&attempt=1",
		"action=login&outcome=denied&by=x&since=2026-01-02T03:04:05Z", "%00=%ff", "a;b=%zz", "limit=1&limit=2", "limit=&offset=-1&attempt=99999999999999999999",
	} {
		f.Add(uint8(i), query, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, n uint8, query string, records bool) {
		call := calls[int(n)%len(calls)]
		header := nethttp.Header{}
		if records {
			header.Set("Accept", "application/x-ndjson")
		}
		checkAnswer(t, fmt.Sprint(call, query), e.call(doorSocket, call[0], &url.URL{Path: call[1], RawQuery: query}, "", header))
	})
}

// Whatever stands in a path in the place of an id, or after it, nobody sees what
// is another's.
func FuzzIDs(f *testing.F) {
	e := fuzzEdge(f)
	calls := sortedCalls(f, func(call [2]string) bool { return call[0] != "POST" && strings.Contains(call[1], "task0001") })
	ids := []string{"task0001", "..", "%2e%2e", "x/../task0001", "task0001%00", "task000", "TASK0001", "*", "\xff", "", "{$gt:\"\"}"}
	for n := range calls {
		f.Add(uint8(n), ids[n%len(ids)], "a/b")
	}
	f.Add(uint8(slices.Index(calls, [2]string{"GET", "/api/files/task0001/content/a/b"})), "task0001", "../../ann/task0001/a/b")
	f.Fuzz(func(t *testing.T, n uint8, id, file string) {
		call := calls[int(n)%len(calls)]
		path := strings.Replace(strings.Replace(call[1], "task0001", id, 1), "a/b", file, 1)
		u := &url.URL{Path: path}
		if plain, err := url.PathUnescape(path); err == nil && plain != path {
			u = &url.URL{Path: plain, RawPath: path}
		}
		w := e.call(doorSocket, call[0], u, "{}", nethttp.Header{client.UserHeader: {"bob"}})
		checkAnswer(t, fmt.Sprint(call, path), w)
		if strings.Contains(w.Body.String(), hidden) {
			t.Fatalf("%v with %q: bob reads %s", call, path, w.Body)
		}
	})
}

// Whatever stands in the headers that say which part, which version, which
// form and which name, the answer is right or a refusal.
func FuzzHeaders(f *testing.F) {
	e := fuzzEdge(f)
	waiting := e.submit(f, "ann", cluster.TaskRequest{})
	f.Add("bytes=0-3,5-", `"1"`, "application/x-ndjson;q=0.5, */*", "gzip;q=0, br", "http://localhost:3000", "id-1", "key")
	f.Add("bytes=-99999999999999999999", "*", "text/html", "gzip", "null", "a\nb", " ")
	f.Add("lines=1-2", `W/"1", "2"`, "", "zstd", "http://evil.example", strings.Repeat("x", 65), "\x7f")
	f.Fuzz(func(t *testing.T, part, version, form, coding, origin, id, key string) {
		header := nethttp.Header{
			"Range": {part}, "If-Range": {version}, "If-None-Match": {version}, "If-Match": {version}, "If-Modified-Since": {version},
			"Accept": {form}, "Accept-Encoding": {coding}, "Origin": {origin}, client.RequestHeader: {id}, client.KeyHeader: {key},
		}
		for _, call := range [][2]string{
			{"GET", "/api/files/task0001/content/a/b"},
			{"HEAD", "/api/files/task0001/content/a/b"},
			{"GET", "/api/tasks/task0001/logs"},
			{"GET", "/api/tasks/task0001"},
			{"PATCH", "/api/tasks/" + string(waiting)},
			{"POST", "/api/tasks"},
		} {
			body := ""
			switch call[0] {
			case "PATCH":
				body = `{"priority":7}`
			case "POST":
				body = `{"docker_image":"alpine"}`
			}
			w := e.call(doorSocket, call[0], &url.URL{Path: call[1]}, body, header.Clone())
			checkAnswer(t, fmt.Sprint(call), w)
			if got := w.Header().Get(client.RequestHeader); !requestID.MatchString(got) {
				t.Fatalf("%v: the request's name is %q", call, got)
			}
			if call[0] == "PATCH" && w.Code == 200 && version != "" && version != "*" && !strings.Contains(version, `"`) && strings.Trim(version, "0123456789") != "" {
				t.Fatalf("changed though If-Match is %q", version)
			}
		}
	})
}

// Whatever the query of a WebSocket, it is read as what it says, or what is
// wrong is named.
func FuzzSocketQuery(f *testing.F) {
	f.Add("offset=5&access_token=x&attempt=1&stream=stdout&q=error")
	f.Add("tail=-2&offset=99999999999999999999&stream=both")
	f.Add("access_token=a&access_token=b&%zz&limit=")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(nethttp.MethodGet, "/ws/tasks/task0001/logs", nil)
		r.URL.RawQuery = query
		in, refused := logSocketInput(r)
		if refused != nil {
			if refused.Detail == "" || refused.Status != 400 && (refused.Status != 422 || len(refused.Errors) == 0) {
				t.Fatalf("%q is refused with %+v", query, refused)
			}
			return
		}
		if in.Offset < 0 || in.Tail < -1 || in.Attempt < 0 || in.Offset > 0 && in.Tail >= 0 || unreadable(in.Q) || unreadable(in.Stream) {
			t.Fatalf("%q is read as %+v", query, in)
		}
		if _, _, err := credentialOf(r); err != nil {
			t.Fatalf("%q: %v", query, err)
		}
	})
}
