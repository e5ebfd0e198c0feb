package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

const (
	maxDepth    = 32      // of a document
	maxValues   = 100_000 // in a document
	maxFaults   = 100     // listed in one refusal
	maxLocation = 512     // bytes of one's place
)

// errMalformed is a body that is no JSON document at all.
var errMalformed = errors.New("malformed body")

// decodeJSON reads one JSON document strictly into the struct that into points
// to: keys match exactly, unknown and repeated ones are faults, null is the
// same as absent. All faults are listed, located as the sender wrote them;
// what could be read is filled in all the same. The error is errMalformed.
func decodeJSON(data []byte, into any) ([]cluster.FieldError, error) {
	faults, _, err := decodeSome(data, into, maxValues)
	return faults, err
}

// decodeSome is decodeJSON for a document of at most so many values; it says how
// many there were.
func decodeSome(data []byte, into any, most int) (faults []cluster.FieldError, values int, err error) {
	if !utf8.Valid(data) {
		return nil, 0, fmt.Errorf("%w: it is not UTF-8", errMalformed)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	p := &parser{dec: dec, most: most}
	root, err := p.value()
	if err != nil {
		return nil, p.values, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, p.values, fmt.Errorf("%w: something follows the document", errMalformed)
	}
	if _, isObject := root.(object); !isObject {
		return nil, p.values, fmt.Errorf("%w: it must be an object in braces", errMalformed)
	}
	p.bind("", root, reflect.ValueOf(into).Elem())
	return p.faults, p.values, nil
}

// object keeps the members in their order, the first of repeated ones.
type object []member

type member struct {
	key   string
	value any // nil, bool, string, json.Number, []any or object
}

type parser struct {
	dec    *json.Decoder
	faults []cluster.FieldError
	path   []crumb // to the value that is read
	values int
	most   int // values
}

// crumb is a step into a document: a member, or an item of a list.
type crumb struct {
	key  string
	item int // -1: a member
}

// here locates what is read. It is written out only for those who complain: a
// location for every value would cost more than all else.
func (p *parser) here() string {
	location := ""
	for _, c := range p.path {
		if c.item >= 0 {
			location += "[" + strconv.Itoa(c.item) + "]"
		} else {
			location = within(location, c.key)
		}
	}
	return location
}

func (p *parser) fault(location, message string) {
	if len(location) > maxLocation {
		location = strings.ToValidUTF8(location[:maxLocation], "") + "…"
	}
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, cluster.FieldError{Location: location, Message: message})
	}
}

func (p *parser) value() (any, error) {
	if len(p.path) > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	if p.values++; p.values > p.most {
		return nil, fmt.Errorf("it has more than %d values", p.most)
	}
	token, err := p.dec.Token()
	if err != nil {
		return nil, plainSyntax(err)
	}
	switch token {
	case json.Delim('{'):
		return p.object()
	case json.Delim('['):
		list := []any{}
		for p.dec.More() {
			v, err := p.inside(crumb{item: len(list)})
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = p.dec.Token()
		return list, plainSyntax(err)
	}
	return token, nil
}

// inside reads the value that lies one step further in.
func (p *parser) inside(c crumb) (any, error) {
	p.path = append(p.path, c)
	v, err := p.value()
	p.path = p.path[:len(p.path)-1]
	return v, err
}

func (p *parser) object() (any, error) {
	o := object{}
	seen := map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, plainSyntax(err)
		}
		key, _ := token.(string) // what follows { is a string or an error
		v, err := p.inside(crumb{key: key, item: -1})
		if err != nil {
			return nil, err
		}
		if seen[key] {
			p.fault(within(p.here(), key), "is there more than once")
			continue
		}
		seen[key] = true
		o = append(o, member{key, v})
	}
	_, err := p.dec.Token()
	return o, plainSyntax(err)
}

func plainSyntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

// bind puts v into the Go value.
func (p *parser) bind(location string, v any, into reflect.Value) {
	if into.Kind() == reflect.Pointer {
		if v == nil {
			return
		}
		fresh := reflect.New(into.Type().Elem())
		before := len(p.faults)
		p.bind(location, v, fresh.Elem())
		if len(p.faults) == before || fresh.Elem().Kind() == reflect.Struct {
			into.Set(fresh) // a struct with what could be read of it
		}
		return
	}
	if v == nil {
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		p.bindStruct(location, v, into)
	case reflect.Map:
		p.bindMap(location, v, into)
	case reflect.Slice:
		p.bindSlice(location, v, into)
	case reflect.String:
		if s, ok := v.(string); ok {
			into.SetString(s)
		} else {
			p.wrong(location, "a string", v)
		}
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			into.SetBool(b)
		} else {
			p.wrong(location, "true or false", v)
		}
	default:
		p.bindNumber(location, v, into)
	}
}

func (p *parser) bindStruct(location string, v any, into reflect.Value) {
	o, ok := v.(object)
	if !ok {
		p.wrong(location, "an object", v)
		return
	}
	fields := fieldsOf(into.Type())
	for _, m := range o {
		if i, known := fields[m.key]; known {
			p.bind(within(location, m.key), m.value, into.Field(i))
			continue
		}
		p.fault(within(location, m.key), "is not known here")
	}
}

func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = i
	}
	return fields
}

func (p *parser) bindMap(location string, v any, into reflect.Value) {
	o, ok := v.(object)
	if !ok {
		p.wrong(location, "an object", v)
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(o)))
	for _, m := range o {
		here := within(location, m.key)
		if m.value == nil {
			p.fault(here, "must not be null")
			continue
		}
		elem := reflect.New(into.Type().Elem()).Elem()
		p.bind(here, m.value, elem)
		into.SetMapIndex(reflect.ValueOf(m.key), elem)
	}
}

func (p *parser) bindSlice(location string, v any, into reflect.Value) {
	list, ok := v.([]any)
	if text, single := v.(string); single && into.Type() == typeOf[client.TextList]() {
		list, ok = []any{text}, true
	}
	if !ok {
		p.wrong(location, "a list", v)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
	for i, item := range list {
		here := fmt.Sprintf("%s[%d]", location, i)
		if item == nil {
			p.fault(here, "must not be null")
			continue
		}
		p.bind(here, item, into.Index(i))
	}
}

// bindNumber takes whole numbers also when they are written as 1e3 or 5.0.
func (p *parser) bindNumber(location string, v any, into reflect.Value) {
	n, ok := v.(json.Number)
	if !ok {
		p.wrong(location, "a number", v)
		return
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	switch {
	case err != nil:
		p.fault(location, "is out of range")
	case into.CanFloat():
		into.SetFloat(f)
	default:
		whole, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			whole, err = int64(f), nil
		}
		switch {
		case err != nil && f != math.Trunc(f):
			p.fault(location, "must be a whole number")
		case err != nil || into.OverflowInt(whole):
			p.fault(location, "is out of range")
		default:
			into.SetInt(whole)
		}
	}
}

func (p *parser) wrong(location, want string, got any) {
	kind := "null"
	switch got.(type) {
	case string:
		kind = "a string"
	case bool:
		kind = "true or false"
	case json.Number:
		kind = "a number"
	case []any:
		kind = "a list"
	case object:
		kind = "an object"
	}
	p.fault(location, "must be "+want+", not "+kind)
}

// within locates a member; keys that would not stand in a line are quoted and
// long ones cut.
func within(location, key string) string {
	const limit = 64
	if len(key) > limit {
		key = strings.ToValidUTF8(key[:limit], "") + "…"
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` {
		key = quoted
	}
	if location == "" {
		return key
	}
	return location + "." + key
}
