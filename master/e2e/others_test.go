//go:build engine

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
)

// operation is one call of the API's own document.
type operation struct {
	method, path string
	query        []string
	fields       []string // of the body
	open         bool
}

func (o operation) key() string {
	if o.method == http.MethodGet {
		return "0" + o.path
	}
	return "1" + o.path + o.method
}

// operations are all of them, as the master serves them: a new route is tried
// without being named here.
func (w *world) operations(t *testing.T) []operation {
	t.Helper()
	_, _, body := ask(t, "GET", "http://"+w.HTTP()+"/openapi.json", "")
	type schema struct {
		Ref        string `json:"$ref"`
		Properties map[string]any
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Security   []any
			Body       struct {
				Content map[string]struct{ Schema schema }
			} `json:"requestBody"`
		}
		Components struct{ Schemas map[string]schema }
	}
	must(t, json.Unmarshal(body, &doc))
	var all []operation
	for path, methods := range doc.Paths {
		for method, op := range methods {
			o := operation{method: strings.ToUpper(method), path: path, open: len(op.Security) == 0}
			for _, p := range op.Parameters {
				if p.In == "query" {
					o.query = append(o.query, p.Name)
				}
			}
			if content, ok := op.Body.Content["application/json"]; ok {
				s := content.Schema
				if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" {
					s = doc.Components.Schemas[name]
				}
				o.fields = slices.Sorted(maps.Keys(s.Properties))
			}
			all = append(all, o)
		}
	}
	if len(all) < 40 {
		t.Fatalf("the document has only %d calls", len(all))
	}
	// What only reads comes first: what somebody has said herself stands in her
	// own lists from then on.
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.key(), b.key()) })
	return all
}

// otherReply is what a call answers.
type otherReply struct {
	status int
	header http.Header
	body   string
}

// as makes one call as somebody.
func (p person) as(t *testing.T, method, path, body string) otherReply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, strings.NewReader(body))
	must(t, err)
	name, value, _ := strings.Cut(p.bearer, ": ")
	request.Header.Set(name, value)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	must(t, err)
	return otherReply{answer.StatusCode, answer.Header, string(content)}
}

// like is an answer without what differs in any case, and with one name in
// another's place.
func (r otherReply) like(name, instead string) string {
	h := r.header.Clone()
	h.Del("Date")
	h.Del("X-Request-Id")
	h.Del("Content-Length")
	return strings.ReplaceAll(fmt.Sprint(r.status, h, r.body), name, instead)
}

// belongings are what somebody has, by what the ids stand for.
type belongings struct {
	running, done, waiting string // tasks
	token                  string
	file                   string
	secrets                []string // what nobody else may ever read
}

// settle gives somebody some of everything.
func (w *world) settle(t *testing.T, p person, name string) belongings {
	t.Helper()
	submit := func(more string) string {
		return call[client.Task](t, p, 201, "/api/tasks", "-d",
			fmt.Sprintf(`{"docker_image":"busybox","name":"name of %s","labels":{"owner":"label of %s"},"cpu_required":0.1,%s}`, name, name, more)).TaskID
	}
	b := belongings{
		running: submit(`"env":{"FAKE_SLEEP":"1h","FAKE_LOG_LINES":"3"}`),
		done:    submit(`"env":{"FAKE_OUTPUT_FILES":"2","FAKE_OUTPUT_BYTES":"100","FAKE_LOG_LINES":"3"}`),
		waiting: submit(`"memory_required":900000`),
		token:   call[client.NewAPIToken](t, p, 201, "/api/auth/tokens", "-d", `{"name":"token of `+name+`"}`).ID,
	}
	w.becomes(t, b.running, "running")
	w.becomes(t, b.done, "succeeded")
	b.file = call[client.Files](t, p, 200, "/api/files/"+b.done).Files[0].Path
	b.secrets = []string{b.running, b.done, b.waiting, b.token, p.id, "name of " + name, "label of " + name, "token of " + name, name + "@example.org"}
	return b
}

// state is all that somebody sees of what is theirs.
func (w *world) state(t *testing.T, p person, b belongings) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{
		"/api/tasks/" + b.done, "/api/tasks/" + b.done + "/events", "/api/tasks/" + b.running + "/events", "/api/tasks/" + b.waiting + "/events",
		"/api/files/" + b.done, "/api/files/" + b.done + "/content/" + b.file, "/api/tasks/" + b.done + "/logs", "/api/auth/tokens", "/api/files", "/api/auth/me",
	} {
		fmt.Fprintln(&all, path, p.as(t, "GET", path, "").body)
	}
	list := decodeAs[client.List[client.Task]](t, p.as(t, "GET", "/api/tasks", ""))
	for _, task := range list.Items {
		fmt.Fprintln(&all, task.TaskID, task.Name, task.Status, task.Version, task.CancelRequested, task.Priority)
	}
	return all.String()
}

func decodeAs[T any](t *testing.T, r otherReply) (out T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("%v in %d %s", err, r.status, r.body)
	}
	return out
}

// F22: another's task, file, token, account or worker, by every call that the
// API's document lists: 404 as for what never was, nothing of it in any list,
// and nothing changed.
func TestF22OthersAreAsIfNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakeWorker(t, "w1", "WORKER_CPU=8", "WORKER_MEMORY=8000", "WORKER_STORAGE=100000")
	w.register(t, "ann") // the administrator
	bob, eve := w.register(t, "bob"), w.register(t, "eve")
	his, hers := w.settle(t, bob, "bob"), w.settle(t, eve, "eve")
	before := w.state(t, bob, his)
	const nobody = "zzzzzzzzzzzzzzzz"
	tasks := []string{his.running, his.done, his.waiting}
	tried := 0
	for _, op := range w.operations(t) {
		if slices.Contains([]string{"/api/auth/logout", "/api/auth/login", "/api/auth/register", "/api/auth/password"}, op.path) {
			continue // about the caller and nobody else
		}
		var theirs []string
		want := http.StatusNotFound
		switch {
		case strings.HasPrefix(op.path, "/api/tasks/{id}"), strings.HasPrefix(op.path, "/api/files/{id}"):
			theirs = tasks
		case strings.HasPrefix(op.path, "/api/auth/tokens/{id}"):
			theirs = []string{his.token}
		case strings.HasPrefix(op.path, "/api/users/{id}"):
			theirs, want = []string{bob.id}, http.StatusForbidden // whoever it is about
		case strings.HasPrefix(op.path, "/api/workers/{id}"), strings.HasPrefix(op.path, "/telemetry/{id}"):
			theirs, want = []string{"w1"}, http.StatusForbidden
			if op.method == http.MethodGet { // what it has to give is anybody's, what it runs is not
				want = http.StatusOK
			}
		case strings.Contains(op.path, "{"):
			t.Errorf("%s %s: say here whose the thing is that it names", op.method, op.path)
			continue
		default:
			tried += w.tellsNothing(t, eve, op, his, bob)
			continue
		}
		for _, id := range theirs {
			for _, query := range []string{"", "?limit=x&offset=-1&wait=soon&nonsense=1&format=rar"} {
				for _, body := range []string{"", "{", `{"nonsense":1}`, `{"priority":1}`} {
					tried++
					path := strings.NewReplacer("{id}", id, "{path}", his.file).Replace(op.path) + query
					got := eve.as(t, op.method, path, body)
					none := eve.as(t, op.method, strings.Replace(path, id, nobody, 1), body)
					if want == http.StatusOK {
						tellsNoneOf(t, op.method+" "+path, got, his.secrets)
						continue
					}
					if got.status != want || got.like(id, nobody) != none.like(id, nobody) {
						t.Errorf("%s %s with %q: %s; of what is not there: %s", op.method, path, body, got.like("", ""), none.like("", ""))
					}
				}
			}
		}
	}
	w.pathsStayInside(t, eve, hers, bob, his)
	w.socketsTellNothing(t, eve, his, nobody)
	if after := w.state(t, bob, his); after != before {
		t.Errorf("something of bob's has changed:\n%s\n%s", before, after)
	}
	t.Logf("%d calls tried", tried)
	for _, c := range []struct {
		p  person
		id string
	}{{bob, his.running}, {bob, his.waiting}, {eve, hers.running}, {eve, hers.waiting}} {
		if r := c.p.as(t, "DELETE", "/api/tasks/"+c.id, ""); r.status != 202 {
			t.Errorf("cancel: %d %s", r.status, r.body)
		}
		w.becomes(t, c.id, "cancelled")
	}
}

// tellsNothing tries a call that names nothing in its path, with each of its
// parameters and fields naming somebody else's.
func (w *world) tellsNothing(t *testing.T, eve person, op operation, his belongings, bob person) (tried int) {
	t.Helper()
	names := []string{his.running, his.done, bob.id, "bob", "bob@example.org", "name of bob", "owner=label of bob", "w1"}
	queries := []string{""}
	for _, parameter := range op.query {
		for _, name := range names {
			queries = append(queries, "?"+parameter+"="+strings.ReplaceAll(name, " ", "%20"))
		}
	}
	bodies := []string{""}
	if op.method != http.MethodGet {
		bodies = []string{"", "{}", "{"}
		for _, field := range op.fields {
			for _, name := range names[:3] {
				bodies = append(bodies, fmt.Sprintf(`{%q:%q}`, field, name), fmt.Sprintf(`{%q:[%q]}`, field, name), fmt.Sprintf(`{%q:{"user_id":%q}}`, field, name))
			}
		}
	}
	for _, query := range queries {
		for _, body := range bodies {
			tried++
			got := eve.as(t, op.method, op.path+query, body)
			secrets := slices.DeleteFunc(slices.Clone(his.secrets), func(s string) bool {
				return strings.Contains(query, strings.ReplaceAll(s, " ", "%20")) || strings.Contains(body, s) // what she said herself
			})
			tellsNoneOf(t, fmt.Sprintf("%s %s%s with %q", op.method, op.path, query, body), got, secrets)
			if list := struct{ Items []any }{}; json.Unmarshal([]byte(got.body), &list) == nil && strings.Contains(query, "=bob") && op.path == "/api/tasks" && len(list.Items) > 0 {
				t.Errorf("%s%s lists %s", op.path, query, got.body)
			}
		}
	}
	return tried
}

func tellsNoneOf(t *testing.T, what string, got otherReply, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(got.body, s) || strings.Contains(fmt.Sprint(got.header), s) {
			t.Errorf("%s tells %q: %d %v %s", what, s, got.status, got.header, got.body)
		}
	}
	if got.status >= 500 {
		t.Errorf("%s: %d %s", what, got.status, got.body)
	}
}

// pathsStayInside reads by her own task the files of somebody else.
func (w *world) pathsStayInside(t *testing.T, eve person, hers belongings, bob person, his belongings) {
	t.Helper()
	want := bob.as(t, "GET", "/api/files/"+his.done+"/content/"+his.file, "").body
	for _, path := range []string{
		"../../" + bob.id + "/" + his.done + "/" + his.file,
		"..%2f..%2f" + bob.id + "%2f" + his.done + "%2f" + his.file,
		"%2e%2e/%2e%2e/" + bob.id + "/" + his.done + "/" + his.file,
		"..%2f" + his.done + "%2f" + his.file,
		"%2f" + strings.ReplaceAll(w.FilesDir()[1:], "/", "%2f") + "%2f" + bob.id + "%2f" + his.done + "%2f" + his.file,
		"..%5c..%5c" + bob.id + "%5c" + his.done + "%5c" + his.file,
		his.file + "%00",
		"../../../../../../../../etc/passwd",
		"..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
	} {
		got := eve.as(t, "GET", "/api/files/"+hers.done+"/content/"+path, "")
		if got.status < 400 || got.status >= 500 || got.body == want || strings.Contains(got.body, "root:") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// socketsTellNothing watches what the master sends of its own accord.
func (w *world) socketsTellNothing(t *testing.T, eve person, his belongings, nobody string) {
	t.Helper()
	header := http.Header{}
	name, value, _ := strings.Cut(eve.bearer, ": ")
	header.Set(name, value)
	base := "ws" + strings.TrimPrefix(eve.base, "http")
	for _, path := range []string{"/ws/telemetry", "/ws/telemetry/w1"} {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), base+path, header)
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		for range 2 {
			_, frame, err := conn.ReadMessage()
			must(t, err)
			tellsNoneOf(t, path, otherReply{body: string(frame)}, his.secrets)
		}
		must(t, conn.Close())
	}
	for _, id := range []string{his.running, his.token} {
		got, none := eve.as(t, "GET", "/ws/telemetry/"+id, ""), eve.as(t, "GET", "/ws/telemetry/"+nobody, "")
		if got.status != 404 || got.like(id, nobody) != none.like("", "") {
			t.Errorf("%s and %s", got.like("", ""), none.like("", ""))
		}
	}
}
