package http

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// node is a schema of the document, with what it refers to in its place.
type node struct {
	Ref        string          `json:"$ref"`
	Type       any             `json:"type"`
	Properties map[string]node `json:"properties"`
	Required   []string        `json:"required"`
	Additional any             `json:"additionalProperties"`
	Items      *node           `json:"items"`
	Enum       []any           `json:"enum"`
	Example    any             `json:"example"`
	Examples   []any           `json:"examples"`
	Format     string          `json:"format"`
	Minimum    *float64        `json:"minimum"`
	Maximum    *float64        `json:"maximum"`
	MinLength  *int            `json:"minLength"`
	MaxLength  *int            `json:"maxLength"`
	MinItems   *int            `json:"minItems"`
	MaxItems   *int            `json:"maxItems"`
	Pattern    string          `json:"pattern"`
}

// described is a call of the document.
type described struct {
	Method      string
	Path        string
	OperationID string `json:"operationId"`
	Security    []any
	Parameters  []struct {
		Name, In string
		Required bool
		Explode  bool
		Schema   node
	}
	RequestBody *struct {
		Content map[string]struct{ Schema node }
	}
}

// document reads what the API says of itself.
func document(t *testing.T) (calls []described, schemas map[string]node) {
	t.Helper()
	doc, err := OpenAPI()
	must(t, err)
	var parsed struct {
		Paths      map[string]map[string]described
		Components struct{ Schemas map[string]node }
	}
	must(t, json.Unmarshal(doc, &parsed))
	for _, path := range slices.Sorted(maps.Keys(parsed.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(parsed.Paths[path])) {
			call := parsed.Paths[path][method]
			call.Method, call.Path = strings.ToUpper(method), path
			calls = append(calls, call)
		}
	}
	return calls, parsed.Components.Schemas
}

// schemas makes values from schemas.
type schemas map[string]node

func (s schemas) resolve(n node) node {
	if name := n.Ref[strings.LastIndexByte(n.Ref, '/')+1:]; name != "" {
		return s[name]
	}
	return n
}

// kind is the one type of the schema but null.
func (n node) kind() string {
	if list, ok := n.Type.([]any); ok {
		for _, t := range list {
			if t != "null" {
				return t.(string)
			}
		}
	}
	kind, _ := n.Type.(string)
	return kind
}

// variant is a value and why it is or is not taken.
type variant struct {
	why   string
	value any
}

// good are values that the schema takes: at least one, and each bound of it.
func (s schemas) good(n node) []variant {
	n = s.resolve(n)
	var out []variant
	add := func(why string, value any) { out = append(out, variant{why, value}) }
	switch {
	case n.Example != nil:
		add("the example", n.Example)
	case len(n.Examples) > 0:
		add("the example", n.Examples[0])
	}
	for _, e := range n.Enum {
		add(fmt.Sprintf("%v of the list", e), e)
	}
	switch n.kind() {
	case "boolean":
		add("true", true)
		add("false", false)
	case "integer", "number":
		if n.Minimum != nil {
			add("the least", *n.Minimum)
		}
		if n.Maximum != nil {
			add("the most", *n.Maximum)
		}
		if n.Minimum == nil && n.Maximum == nil {
			add("one", 1)
		}
	case "array":
		inner := s.good(*n.Items)
		add("a list of one", []any{inner[0].value})
	case "object":
		add("an object", s.sample(n))
	case "string":
		if len(out) == 0 {
			add("a text", strings.Repeat("x", max(3, deref(n.MinLength, 0))))
			if n.Format == "date-time" {
				out = []variant{{"a time", "2026-01-02T03:04:05Z"}}
			}
		}
	}
	return out
}

func deref(p *int, otherwise int) int {
	if p == nil {
		return otherwise
	}
	return *p
}

// sample is an object with what it must have.
func (s schemas) sample(n node) map[string]any {
	n = s.resolve(n)
	out := map[string]any{}
	for _, name := range n.Required {
		if p := s.resolve(n.Properties[name]); name != "$schema" {
			out[name] = s.good(p)[0].value
		}
	}
	if len(n.Properties) == 0 && n.Additional != nil && n.Additional != false {
		out["key"] = "value"
	}
	return out
}

// bad are values that the schema does not take: every other type, beyond each
// bound, and within what it holds.
func (s schemas) bad(n node) []variant {
	n = s.resolve(n)
	var out []variant
	add := func(why string, value any) { out = append(out, variant{why, value}) }
	for kind, value := range map[string]any{
		"string": "x y", "number": 1.5, "boolean": true, "array": []any{map[string]any{}}, "object": map[string]any{"$gt": []any{}},
	} {
		if kind != n.kind() && !(kind == "number" && n.kind() == "integer") {
			add("another type, "+kind, value)
		}
	}
	if n.kind() == "integer" {
		add("a fraction", 1.5)
	}
	if n.Minimum != nil {
		add("below the least", *n.Minimum-1)
	}
	if n.Maximum != nil {
		add("above the most", *n.Maximum*2+1)
	}
	if n.MinLength != nil && *n.MinLength > 0 {
		add("too short", strings.Repeat("x", *n.MinLength-1))
	}
	if n.MaxLength != nil {
		add("too long", strings.Repeat("x", *n.MaxLength+1))
	}
	if len(n.Enum) > 0 && n.kind() == "string" {
		add("none of the list", "nonsense")
	}
	if n.Format == "date-time" {
		add("no time", "yesterday")
	}
	if n.kind() == "array" {
		if n.MaxItems != nil && *n.MaxItems < 5000 {
			many := make([]any, *n.MaxItems+1)
			for i := range many {
				many[i] = s.good(*n.Items)[0].value
			}
			add("too many", many)
		}
		for _, inner := range s.bad(*n.Items) {
			if n.kind() != "array" || inner.why != "too long" {
				add("a list of: "+inner.why, []any{inner.value})
			}
		}
	}
	if n.kind() == "object" && len(n.Properties) > 0 {
		for _, v := range s.badObjects(n) {
			add(v.why, v.value)
		}
	}
	return out
}

// badObjects are objects with one thing wrong: each field in turn with each bad
// value, each required one absent, and one too many.
func (s schemas) badObjects(n node) []variant {
	n = s.resolve(n)
	var out []variant
	with := func(name string, value any) map[string]any {
		o := s.sample(n)
		if o[name] = value; value == nil {
			delete(o, name)
		}
		return o
	}
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		for _, v := range s.bad(n.Properties[name]) {
			out = append(out, variant{name + " is " + v.why, with(name, v.value)})
		}
	}
	for _, name := range n.Required {
		out = append(out, variant{"without " + name, with(name, nil)})
	}
	return append(out, variant{"a field too many", with("no such field", 1)})
}

// goodObjects are the least object, and each further field in turn with each
// good value.
func (s schemas) goodObjects(n node) []variant {
	n = s.resolve(n)
	out := []variant{{"what is required", s.sample(n)}}
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		for _, v := range s.good(n.Properties[name]) {
			o := s.sample(n)
			o[name] = v.value
			out = append(out, variant{name + " is " + v.why, o})
		}
	}
	return out
}
