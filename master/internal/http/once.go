package http

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/coordinator"
)

// OnceParam is a field of the input of every call that can be made to happen
// once.
type OnceParam struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[!-~]([ -~]*[!-~])?$" patternDescription:"printable ASCII" doc:"The caller's own name for this request, such as a UUID. Sent again with the same key within 24 hours, the request takes effect no second time and gets the first reply again, byte for byte. Only what was accepted is kept, per user and call. Another request with a known key is 422; 409 with Retry-After while the first is under way. Requests are the same when they have the same fields with the same values."` //nolint:lll // one tag
}

// Resolve refuses what the schema does not see: a key that is empty, and more
// than one.
func (p *OnceParam) Resolve(ctx huma.Context) []error {
	n := 0
	ctx.EachHeader(func(name, _ string) {
		if strings.EqualFold(name, client.KeyHeader) {
			n++
		}
	})
	switch {
	case n > 1:
		return []error{fault(client.KeyHeader, "is there more than once")}
	case n == 1 && p.Key == "":
		return []error{fault(client.KeyHeader, "is empty; leave it out, or name the request by it")}
	}
	return nil
}

// of gives the core the key with the print of the request's decoded body, so
// that order and white space do not count. nil: it has none.
func (p *OnceParam) of(body any) coordinator.Once {
	if p.Key == "" {
		return coordinator.Once{}
	}
	once := coordinator.Once{Key: p.Key, Reply: func(v coordinator.TaskView) ([]byte, error) { return json.Marshal(taskOf(v)) }}
	if body != nil {
		once.Print = printOf(body)
	}
	return once
}

// printOf is equal for bodies with the same fields and values.
func printOf(body any) string {
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode(body) // it was JSON a moment ago
	return hex.EncodeToString(sum.Sum(nil))
}

// print is that of a request's body, if it has a key.
func (p *OnceParam) print(body any) string {
	if p.Key == "" {
		return ""
	}
	return printOf(body)
}

// named is a request's key and print for a reply of its own kind; done hears what
// it makes.
func named[T, R any](p *OnceParam, print string, reply func(T) R, done func(T)) coordinator.Named[T] {
	if p.Key == "" {
		return coordinator.Named[T]{Done: done}
	}
	return coordinator.Named[T]{Key: p.Key, Print: print, Done: done, Reply: func(made T) ([]byte, error) { return json.Marshal(reply(made)) }}
}

// repliedTo is the reply to what was made now, or when the request came first.
func repliedTo[T, R any](made T, kept []byte, err error, reply func(T) R) (*struct{ Body R }, error) {
	if err != nil {
		return nil, err
	}
	out := &struct{ Body R }{}
	if kept != nil {
		return out, json.Unmarshal(kept, &out.Body)
	}
	out.Body = reply(made)
	return out, nil
}

type createdOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     client.Task
}

// createdReply is the reply to what has made a task, now or when the request
// came first.
func createdReply(c coordinator.Created, err error) (*createdOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &createdOutput{Location: "/api/tasks/" + string(c.ID)}
	if c.Kept == nil {
		out.Body = taskOf(c.TaskView)
	} else if err := json.Unmarshal(c.Kept, &out.Body); err != nil {
		return nil, err
	}
	out.ETag = etag(out.Body.Version)
	return out, nil
}
