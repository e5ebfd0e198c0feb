package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Door is a way to the engine on which single calls can be held, so that a
// process can be met in the middle of one.
type Door struct {
	server *http.Server
	dir    string
	path   string

	mu    sync.Mutex
	holds []*Hold
}

// Hold is one call that is held, once.
type Hold struct {
	method  string
	path    *regexp.Regexp
	after   bool // the engine has done it, only its answer is held
	late    bool // the engine is asked at the release although the caller has gone
	once    sync.Once
	reached chan struct{}
	open    chan struct{}
	done    chan struct{} // a late call is over
	status  int           // that the engine answered it with
}

// lateLimit is how long the engine may take for a late call.
const lateLimit = time.Minute

// lateCall finds the hold of a late call in its context.
type lateCall struct{}

// NewDoor opens another door to the engine.
func (e *Engine) NewDoor() (*Door, error) {
	dir, err := os.MkdirTemp("", "door-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	d := &Door{dir: dir, path: filepath.Join(dir, "engine.sock")}
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		return nil, err
	}
	dial := e.Dialer()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
		},
		Transport:      &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }},
		FlushInterval:  -1,
		ModifyResponse: d.answered,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	d.server = &http.Server{Handler: d.guard(proxy), ReadHeaderTimeout: time.Minute}
	go func() { _ = d.server.Serve(listener) }() // until Close
	return d, nil
}

// Host is the door's address as DOCKER_HOST has it.
func (d *Door) Host() string { return "unix://" + d.path }

// Before holds the next such call before the engine hears of it.
func (d *Door) Before(method, path string) *Hold { return d.hold(method, path, false, false) }

// After holds the engine's answer to the next such call.
func (d *Door) After(method, path string) *Hold { return d.hold(method, path, true, false) }

// Late holds the next such call as Before does; the engine hears of it at the
// release even if its caller has gone by then.
func (d *Door) Late(method, path string) *Hold { return d.hold(method, path, false, true) }

func (d *Door) hold(method, path string, after, late bool) *Hold {
	h := &Hold{
		method: method, path: regexp.MustCompile(path), after: after, late: late,
		reached: make(chan struct{}), open: make(chan struct{}), done: make(chan struct{}),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds = append(d.holds, h)
	return h
}

// take finds the hold that a call meets; each meets one call only.
func (d *Door) take(r *http.Request, after bool) *Hold {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, h := range d.holds {
		if h.after == after && h.method == r.Method && h.path.MatchString(r.URL.Path) {
			d.holds = append(d.holds[:n:n], d.holds[n+1:]...)
			return h
		}
	}
	return nil
}

func (d *Door) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := d.take(r, false)
		switch {
		case h == nil:
		case h.late:
			defer close(h.done)
			body, err := io.ReadAll(r.Body) // while its sender is there
			if err != nil {
				return
			}
			close(h.reached)
			<-h.open
			r.Body = io.NopCloser(bytes.NewReader(body))
			// With a context that never ends the proxy would watch the caller itself.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), lateLimit)
			defer cancel()
			r = r.WithContext(context.WithValue(ctx, lateCall{}, h))
		default:
			close(h.reached)
			select {
			case <-h.open:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (d *Door) answered(answer *http.Response) error {
	if h, ok := answer.Request.Context().Value(lateCall{}).(*Hold); ok {
		h.status = answer.StatusCode
	}
	if h := d.take(answer.Request, true); h != nil {
		close(h.reached)
		select {
		case <-h.open:
		case <-answer.Request.Context().Done():
			return answer.Request.Context().Err()
		}
	}
	return nil
}

// Close ends every call on the door.
func (d *Door) Close() error {
	d.mu.Lock()
	for _, h := range d.holds {
		h.Release()
	}
	d.mu.Unlock()
	if err := d.server.Close(); err != nil {
		return err
	}
	return os.RemoveAll(d.dir)
}

// Reached waits until the call is held.
func (h *Hold) Reached(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-h.reached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no %s of %s: %w", h.method, h.path, ctx.Err())
	}
}

// Made waits until the engine has done what a late call asks for.
func (h *Hold) Made(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-h.done:
	case <-ctx.Done():
		return fmt.Errorf("%s of %s is not over: %w", h.method, h.path, ctx.Err())
	}
	if h.status != http.StatusCreated {
		return fmt.Errorf("%s of %s: the engine answered %d", h.method, h.path, h.status)
	}
	return nil
}

// Release lets the call go on.
func (h *Hold) Release() { h.once.Do(func() { close(h.open) }) }
