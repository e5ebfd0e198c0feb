package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	nethttp "net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/logs"
)

// Problem is an error on its way out, as RFC 9457 has it.
type Problem struct {
	client.Problem
	headers nethttp.Header // sent with it
}

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// Error is for huma and logs.
func (p *Problem) Error() string { return p.Detail }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() nethttp.Header { return p.headers }

func newProblem(status int, detail string, fields ...client.FieldError) *Problem {
	return &Problem{Problem: client.Problem{
		Type: "about:blank", Title: nethttp.StatusText(status), Status: status, Detail: detail, Errors: fields,
	}}
}

func (p *Problem) with(header, value string) *Problem {
	if p.headers == nil {
		p.headers = nethttp.Header{}
	}
	p.headers.Set(header, value)
	return p
}

// as is the problem under another status.
func (p *Problem) as(status int) *Problem {
	p.Status, p.Title = status, nethttp.StatusText(status)
	return p
}

// sentinels maps the core's errors, once for all routes; the first that
// matches counts. An empty detail shows the error's own words.
var sentinels = []struct {
	err    error
	status int
	detail string
}{
	{cluster.ErrInvalid, nethttp.StatusUnprocessableEntity, ""},
	{cluster.ErrNotFound, nethttp.StatusNotFound, "there is no such thing, or it is not yours"},
	{cluster.ErrUnknownTask, nethttp.StatusNotFound, "there is no such thing, or it is not yours"},
	{cluster.ErrUnauthenticated, nethttp.StatusUnauthorized, ""},
	{cluster.ErrGone, nethttp.StatusGone, ""},
	{cluster.ErrDenied, nethttp.StatusForbidden, ""},
	{cluster.ErrPrecondition, nethttp.StatusPreconditionFailed, ""},
	{cluster.ErrInFlight, nethttp.StatusConflict, ""},
	{cluster.ErrBusy, nethttp.StatusTooManyRequests, ""},
	{cluster.ErrConflict, nethttp.StatusConflict, ""},
	{cluster.ErrIllegalTransition, nethttp.StatusConflict, ""},
	{cluster.ErrStaleAttempt, nethttp.StatusConflict, ""},
	{cluster.ErrClone, nethttp.StatusConflict, ""},
	{cluster.ErrUnknownSession, nethttp.StatusConflict, ""},
	{cluster.ErrQuota, nethttp.StatusInsufficientStorage, ""},
	{cluster.ErrNoRoom, nethttp.StatusInsufficientStorage, ""},
	{cluster.ErrUnavailable, nethttp.StatusServiceUnavailable, ""},
	{context.DeadlineExceeded, nethttp.StatusServiceUnavailable, "the master did not answer in time; whether the request took effect is not known"},
	{context.Canceled, nethttp.StatusServiceUnavailable, "the request was given up, or the master is stopping"},
}

// problemOf is what the caller is told of an error. What no sentinel knows is
// internal: logged in full, shown without.
func problemOf(err error, log *slog.Logger) *Problem {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	var invalid *cluster.InvalidError
	if errors.As(err, &invalid) {
		return invalidProblem(invalid.Fields)
	}
	if errors.Is(err, logs.ErrRange) {
		return invalidProblem([]cluster.FieldError{{Location: "offset", Message: wordsOf(err, logs.ErrRange)}}).as(nethttp.StatusRequestedRangeNotSatisfiable)
	}
	var hidden *cluster.HiddenError
	for _, s := range sentinels {
		if !errors.Is(err, s.err) {
			continue
		}
		p := newProblem(s.status, s.detail)
		if errors.As(err, &hidden) {
			log.Warn("a request could not be served", "error", err)
			p.Detail = hidden.Said
		} else if s.detail == "" {
			p.Detail = wordsOf(err, s.err)
		}
		switch {
		case errors.Is(err, cluster.ErrNoRoom):
			return p.with("Retry-After", "10") // room does not come back by itself
		case s.status == nethttp.StatusServiceUnavailable, s.status == nethttp.StatusTooManyRequests, errors.Is(err, cluster.ErrInFlight):
			return p.with("Retry-After", retryAfter(err))
		case s.status == nethttp.StatusUnauthorized:
			return p.with("WWW-Authenticate", "Bearer")
		}
		return p
	}
	log.Error("request failed", "error", err)
	return newProblem(nethttp.StatusInternalServerError, "something went wrong inside the master; its log says what")
}

// wordsOf are an error's own, without the sentinel's: the status says that much.
func wordsOf(err, sentinel error) string {
	return strings.TrimPrefix(err.Error(), sentinel.Error()+": ")
}

// retryAfter is in how many seconds the same call may succeed.
func retryAfter(err error) string {
	var wait *cluster.WaitError
	if !errors.As(err, &wait) {
		return "1"
	}
	return strconv.FormatInt(int64(max(wait.After+time.Second-1, time.Second)/time.Second), 10)
}

// invalidProblem names each bad field, in the list and in the sentence.
func invalidProblem(fields []cluster.FieldError) *Problem {
	const named = 3
	var words []string
	var list []client.FieldError
	for i, f := range fields {
		list = append(list, client.FieldError{Location: f.Location, Message: f.Message})
		if i < named {
			words = append(words, f.Location+": "+f.Message)
		}
	}
	detail := strings.Join(words, "; ")
	if len(fields) > named {
		detail += "; and more, see errors"
	}
	return newProblem(nethttp.StatusUnprocessableEntity, detail, list...)
}

// huma keeps these two as variables of the package; this edge is its only
// user in the program.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		if status == nethttp.StatusRequestEntityTooLarge {
			msg = fmt.Sprintf("the body is larger than %d bytes", ctx.Operation().MaxBodyBytes-1)
		}
		p := refusal(ctx.Context(), status, msg, errs)
		for name, values := range p.headers {
			ctx.SetHeader(name, values[0])
		}
		return p
	}
}

// refusal turns what huma has to say into a problem: an error of a handler
// (which huma calls a 500), or what is wrong with the request. Before the
// latter is said, the ownership of what the path names is looked at.
func refusal(ctx context.Context, status int, msg string, errs []error) *Problem {
	call := callOf(ctx)
	if status == nethttp.StatusInternalServerError && len(errs) == 1 {
		var detail *huma.ErrorDetail
		if !errors.As(errs[0], &detail) {
			return problemOf(errs[0], call.log)
		}
	}
	if call.guard != nil {
		if err := call.guard(); err != nil {
			return problemOf(err, call.log)
		}
	}
	return humaProblem(status, msg, errs)
}

// humaProblem rewords huma's own complaints about a request.
func humaProblem(status int, msg string, errs []error) *Problem {
	var fields []cluster.FieldError
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			continue
		}
		fields = append(fields, cluster.FieldError{Location: plainLocation(detail.Location), Message: detail.Message})
	}
	if len(fields) > 0 {
		return invalidProblem(fields).as(status)
	}
	return newProblem(status, msg)
}

// plainLocation drops where huma found the field, so that it reads as the
// sender wrote it.
func plainLocation(location string) string {
	for _, where := range []string{"query.", "path.", "header.", "body."} {
		if rest, ok := strings.CutPrefix(location, where); ok {
			return rest
		}
	}
	return location
}
