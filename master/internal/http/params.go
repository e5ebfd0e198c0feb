package http

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// StrictQuery is a field of every input with a query. It refuses keys that the
// call does not have, repeated and empty ones, so that a typo narrows nothing
// silently.
type StrictQuery struct{}

// Resolve is called by huma after it has read the parameters.
func (*StrictQuery) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil { // a filter that cannot be read must not pass for none
		return []error{fault("query", "cannot be read: "+err.Error())}
	}
	known := map[string]*huma.Param{}
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			known[p.Name] = p
		}
	}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(query)) {
		values := query[key]
		param := known[key]
		switch {
		case param == nil:
			faults = append(faults, fault(within("", key), "is not a parameter of this call"))
		case len(values) > 1 && (param.Explode == nil || !*param.Explode):
			faults = append(faults, fault(key, "is there more than once"))
		case slices.Contains(values, ""):
			faults = append(faults, fault(key, "is empty; leave it out"))
		case slices.ContainsFunc(values, unreadable):
			faults = append(faults, fault(key, "must be valid UTF-8 without control characters"))
		}
	}
	return faults
}

func unreadable(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

func fault(location, message string) error {
	return &huma.ErrorDetail{Location: location, Message: message}
}

// PageParams is a field of every list's input.
type PageParams struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"Items on the page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`

	after place
}

// Resolve reads the cursor, which must have come from this very call.
func (p *PageParams) Resolve(ctx huma.Context) []error { return p.read(ctx.Operation().OperationID) }

// read takes a cursor of a kind of list.
func (p *PageParams) read(kind string) []error {
	if p.Cursor == "" {
		return nil
	}
	after, ok := decodeCursor(kind, p.Cursor)
	if !ok {
		return []error{fault("cursor", "is not a next_cursor of this list")}
	}
	p.after = after
	return nil
}

// maxWait bounds how long one request may wait for a task's end.
const maxWait = 10 * time.Minute

// WaitParam is a field of inputs that may wait.
type WaitParam struct {
	Wait string `query:"wait" doc:"Go style duration, at most 10m: reply when the task is terminal, or after this time." example:"30s"`

	wait time.Duration
}

// Resolve reads the duration.
func (p *WaitParam) Resolve(huma.Context) []error {
	if p.Wait == "" {
		return nil
	}
	d, err := time.ParseDuration(p.Wait)
	switch {
	case err != nil:
		return []error{fault("wait", "is not a duration such as 30s")}
	case d < 0 || d > maxWait:
		return []error{fault("wait", fmt.Sprintf("must be between 0s and %s", maxWait))}
	}
	p.wait = d
	return nil
}

// TaskPath is a field of every input about one task.
type TaskPath struct {
	ID string `path:"id" doc:"The task's id." maxLength:"256"`
}

// WorkerPath is a field of every input about one worker.
type WorkerPath struct {
	ID string `path:"id" doc:"The worker's id." maxLength:"256"`
}
