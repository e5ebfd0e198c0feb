package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cloudai/master/internal/cluster"
)

// stage is an edge on which a call finds what it is about.
type stage struct {
	*edge
	t       *testing.T
	call    described
	schemas schemas
	check   *replies
	id      string
}

// newStage makes it anew for each call: many of them change it.
func newStage(t *testing.T, call described, s schemas, check *replies) *stage {
	t.Helper()
	e := newEdge(t)
	done := finished(t, e)
	e.publish(t, "ann", done.ref.TaskID, map[string]string{"x": "0123456789"})
	e.metrics = nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("cloudai_x 1\n"))
	})
	waiting := e.submit(t, "ann", cluster.TaskRequest{})
	e.core.SetWorkers(aWorker("w1", 1))
	out := &stage{edge: e, t: t, call: call, schemas: s, check: check, id: string(done.ref.TaskID)}
	switch {
	case strings.HasPrefix(call.Path, "/api/workers/"), strings.HasPrefix(call.Path, "/telemetry/"):
		out.id = "w1"
	case call.OperationID == "editTask" || call.OperationID == "cancelTask":
		out.id = string(waiting)
	case strings.HasPrefix(call.Path, "/api/users/"):
		e.signUp(t, "chief") // the last one who administers has to stay
		_, session := e.signUp(t, "other")
		out.id = session.User.ID
	}
	return out
}

// ask makes a request and compares the reply with the document.
func (s *stage) send(what string, query url.Values, header [2]string, body any) int {
	s.t.Helper()
	s.core.SetWorkers(aWorker("w1", 1)) // also when the request before has removed it
	target := strings.NewReplacer("{id}", s.id, "{path}", "x").Replace(s.call.Path)
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	text := ""
	if body != nil {
		data, err := json.Marshal(body)
		must(s.t, err)
		text = string(data)
	}
	r := httptest.NewRequest(s.call.Method, target, strings.NewReader(text))
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if header[0] != "" {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r.WithContext(contextOf(r, doorSocket)))
	if err := s.check.compare(s.call, w); err != nil {
		s.t.Errorf("%s: the reply of status %d is not as the document says: %v\n%.300s", what, w.Code, err, w.Body)
	}
	return w.Code
}

// taken and refused compare what became of a request with what the schema says
// of it.
func (s *stage) taken(what string, code int) {
	s.t.Helper()
	if code >= 300 && !slices.Contains(otherwise[s.call.OperationID], code) {
		s.t.Errorf("%s is refused with %d", what, code)
	}
}

func (s *stage) refused(what string, code int) {
	s.t.Helper()
	if code != nethttp.StatusUnprocessableEntity && !slices.Contains(before[s.call.OperationID], code) {
		s.t.Errorf("%s gives %d", what, code)
	}
}

// otherwise are what right requests may be refused with here, for reasons that
// no schema has.
var otherwise = map[string][]int{
	"login":          {401},      // no such account
	"register":       {409, 429}, // it is there since the request before
	"createUser":     {409, 429},
	"changePassword": {401, 403, 429},
	"logout":         {401, 403, 409}, // there is no sign-in on the socket
	"editTask":       {412},
	"cancelTask":     {409}, // it is over since the request before
	"deleteToken":    {404},
	"submitTask":     {422}, // command with args, and the like
}

// before are what comes before any look at the request.
var before = map[string][]int{
	"login":          {401}, // by an email that no account has
	"changePassword": {403}, // the socket's user has no password
	"deleteToken":    {404}, // there is no such token
	"deleteUser":     {404}, // gone since the request before
}

// Every call of the document with right and wrong input, which is made from the
// schemas parameter by parameter and field by field: what is right is taken,
// what is wrong is a 422, and each reply is as the document has it.
func TestEveryCallIsAsTheDocumentSays(t *testing.T) {
	calls, known := document(t)
	doc, err := OpenAPI()
	must(t, err)
	check := newReplies(t, doc)
	tried := 0
	for _, call := range calls {
		t.Run(call.OperationID, func(t *testing.T) {
			s := newStage(t, call, known, check)
			tried += s.parameters() + s.bodies()
		})
	}
	if tried < 700 {
		t.Errorf("only %d requests: the test says little", tried)
	}
	t.Logf("%d requests", tried)
}

// body is one that the call takes; nil: it has none.
func (s *stage) body() any {
	if s.call.RequestBody == nil {
		return nil
	}
	return s.schemas.sample(s.call.RequestBody.Content["application/json"].Schema)
}

func (s *stage) parameters() (tried int) {
	s.taken("as it is", s.send("as it is", nil, [2]string{}, s.body()))
	for _, p := range s.call.Parameters {
		ask := func(v variant) (string, int) {
			what := fmt.Sprintf("%s %s is %s", p.In, p.Name, v.why)
			tried++
			if p.In == "header" {
				return what, s.send(what, nil, [2]string{p.Name, fmt.Sprint(v.value)}, s.body())
			}
			return what, s.send(what, url.Values{p.Name: {written(v.value)}}, [2]string{}, s.body())
		}
		if p.In == "path" {
			continue // another id is another thing
		}
		schema := s.schemas.resolve(p.Schema)
		for _, v := range s.schemas.good(schema) {
			if p.Name != "cursor" && p.Name != "label" && p.Name != "If-Match" { // which have to be of something
				what, code := ask(v)
				s.takenParameter(p.Name, what, code)
			}
		}
		for _, v := range s.schemas.bad(schema) {
			if text := written(v.value); schema.kind() != "string" && schema.kind() != "array" && text != "true" && text != "false" ||
				schema.kind() == "string" && !strings.HasPrefix(v.why, "another type") || v.why == "a list of: none of the list" {
				if p.In == "header" && v.why == "too short" || p.Name == "wait" {
					continue // an empty header is none
				}
				what, code := ask(v)
				s.refused(what, code)
			}
		}
		if p.In == "query" {
			s.refused(p.Name+" twice", s.twice(p.Name, p.Explode))
		}
	}
	if len(s.call.Security) > 0 { // open calls do not look
		s.refused("a parameter too many", s.send("a parameter too many", url.Values{"nonsense": {"1"}}, [2]string{}, s.body()))
	}
	return tried
}

// written is a value as a query has it.
func written(v any) string {
	if list, ok := v.([]any); ok {
		return fmt.Sprint(list[0])
	}
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return fmt.Sprint(int64(f))
	}
	return fmt.Sprint(v)
}

func (s *stage) twice(name string, explode bool) int {
	if explode {
		return nethttp.StatusUnprocessableEntity // it may
	}
	return s.send(name+" twice", url.Values{name: {"1", "1"}}, [2]string{}, s.body())
}

// takenParameter is taken, but for what only a state allows.
func (s *stage) takenParameter(name, what string, code int) {
	s.t.Helper()
	switch {
	case name == "offset" && code == 416, name == "attempt" && code == 422: // beyond the end; not come to
	case name == "Idempotency-Key" && code == 422: // the key of the request before
	default:
		s.taken(what, code)
	}
}

func (s *stage) bodies() (tried int) {
	if s.call.RequestBody == nil {
		return 0
	}
	schema := s.call.RequestBody.Content["application/json"].Schema
	for _, v := range s.schemas.goodObjects(schema) {
		tried++
		code := s.send(v.why, nil, [2]string{}, v.value)
		s.taken(v.why, code)
	}
	for _, v := range s.schemas.badObjects(schema) {
		tried++
		s.refused(v.why, s.send(v.why, nil, [2]string{}, v.value))
	}
	return tried
}

// replies knows what the document says of them.
type replies struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

func newReplies(t *testing.T, doc []byte) *replies {
	t.Helper()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	must(t, err)
	r := &replies{root: root.(map[string]any), compiler: jsonschema.NewCompiler()}
	must(t, r.compiler.AddResource("openapi.json", root))
	return r
}

// at is the value at a path of the document; nil: there is none.
func (r *replies) at(path ...string) map[string]any {
	value := r.root
	for _, name := range path {
		value, _ = value[name].(map[string]any)
	}
	return value
}

// compare is an error when the document has no such reply: its status, the type
// of its body, the body itself.
func (r *replies) compare(call described, w *httptest.ResponseRecorder) error {
	path := []string{"paths", call.Path, strings.ToLower(call.Method), "responses", fmt.Sprint(w.Code)}
	if r.at(path...) == nil {
		path[4] = fmt.Sprintf("%dXX", w.Code/100)
	}
	if r.at(path...) == nil {
		return fmt.Errorf("no status %d", w.Code)
	}
	contents := r.at(append(path, "content")...)
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	switch {
	case len(contents) == 0 && w.Body.Len() > 0:
		return fmt.Errorf("it has a body")
	case len(contents) == 0 || contents["*/*"] != nil:
		return nil
	case contents[kind] == nil:
		return fmt.Errorf("no content of type %q", kind)
	case !strings.HasSuffix(kind, "json"):
		return nil
	}
	pointer := "openapi.json#"
	for _, step := range append(path, "content", kind, "schema") {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	schema, err := r.compiler.Compile(pointer)
	if err != nil {
		return err
	}
	documents := [][]byte{w.Body.Bytes()}
	if kind == ndjsonType {
		documents = bytes.Split(bytes.TrimSuffix(w.Body.Bytes(), []byte("\n")), []byte("\n"))
	}
	for _, document := range documents {
		if len(document) == 0 && kind == ndjsonType {
			continue // none
		}
		body, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
		if err != nil {
			return err
		}
		if err := schema.Validate(body); err != nil {
			return err
		}
	}
	return nil
}
