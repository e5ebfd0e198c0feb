package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Headers of CloudAI's own.
const (
	KeyHeader        = "Idempotency-Key" // the caller's own name for a request, which makes it happen once
	UserHeader       = "X-CloudAI-User"  // whom a caller on the Unix socket acts for
	NextOffsetHeader = "X-Next-Offset"   // of a log: where a later request goes on
	AttemptHeader    = "X-Attempt"       // of a log: whose it is
	RequestHeader    = "X-Request-Id"    // names the request in the reply and in the master's log
)

// Options say where the master is and who calls.
type Options struct {
	Socket string // path of the master's Unix socket; or:
	Server string // http or https URL
	Token  string // for Server
	User   string // on the socket: act for this user

	// Patience is how long a wait, a followed log or a submit goes on to look for
	// a master that does not answer, or has no room; 0: 1 minute.
	Patience time.Duration
}

// Client calls one master. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	base     string // without a slash at the end
	where    string // for messages
	token    string
	user     string
	patience time.Duration
}

// New makes a client; it does not call.
func New(o Options) (*Client, error) {
	c := &Client{token: o.Token, user: o.User, patience: o.Patience}
	if c.patience == 0 {
		c.patience = time.Minute
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	switch {
	case o.Socket != "" && o.Server != "":
		return nil, errors.New("give a socket or a server, not both")
	case o.Socket != "":
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", o.Socket)
		}
		c.base, c.where = "http://master", o.Socket
	default:
		u, err := url.Parse(o.Server)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("the server must be a URL such as http://127.0.0.1:8080, not %q", o.Server)
		}
		if o.User != "" {
			return nil, errors.New("acting for another user works on the master's socket only")
		}
		c.base, c.where = strings.TrimSuffix(o.Server, "/"), o.Server
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// As is the same client acting for another user, which works on the socket
// only.
func (c *Client) As(user string) *Client {
	other := *c
	other.user = user
	return &other
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a refusal or a failure that the master answered with.
type Error struct {
	Status int          // of HTTP
	Detail string       // what happened and what to do, for people
	Fields []FieldError // each bad field of the request
	// RequestID names the request in the master's log; empty when what answered
	// is no master.
	RequestID string
	// RetryAfter is when the same call may succeed; 0: it will not, or nobody
	// knows.
	RetryAfter time.Duration
}

// Error is the detail.
func (e *Error) Error() string { return e.Detail }

// IsNotFound reports whether the master has no such thing, or not for this
// caller.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict reports whether the state does not allow it (any more).
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// UnreachableError means that no answer came; whether the call took effect is
// not known when it was on its way already.
type UnreachableError struct {
	Where string // path of the socket, or URL
	Err   error
}

// Error says where nobody answers.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the master at %s does not answer: %v", e.Where, e.Err)
}

// Unwrap gives the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// request is one call.
type request struct {
	method string
	path   string // escaped
	query  url.Values
	body   any
	header http.Header
}

// open makes the call and gives its successful response; the caller closes the
// body. Everything from 300 on is an *Error, no answer an *UnreachableError.
func (c *Client) open(ctx context.Context, r request) (*http.Response, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.header)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.user != "" {
		req.Header.Set(UserHeader, c.user)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // without the made-up URL of the socket
		}
		return nil, &UnreachableError{Where: c.where, Err: err}
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

// problem reads a refusal.
func problem(resp *http.Response) error {
	const limit = 1 << 20
	data, _ := io.ReadAll(io.LimitReader(resp.Body, limit)) // what came is enough
	var p Problem
	if json.Unmarshal(data, &p) != nil || p.Detail == "" && p.Title == "" {
		p = Problem{Detail: "the server answered " + resp.Status + ", and not as a master of CloudAI would"}
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 when it is absent, or a date
	return &Error{
		Status: resp.StatusCode, Detail: p.Detail, Fields: p.Errors, RetryAfter: time.Duration(max(0, min(seconds, 3600))) * time.Second,
		RequestID: resp.Header.Get(RequestHeader),
	}
}

// call makes a call and decodes its JSON reply; a reply of nothing decodes
// into nothing.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	resp, err := c.open(ctx, r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		return out, &UnreachableError{Where: c.where, Err: fmt.Errorf("its answer broke off: %w", err)}
	}
	return out, nil
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	return call[T](ctx, c, request{method: http.MethodGet, path: path, query: query})
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	return call[T](ctx, c, request{method: http.MethodPost, path: path, body: body})
}

func remove(ctx context.Context, c *Client, path string, query url.Values) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: path, query: query})
	return err
}
