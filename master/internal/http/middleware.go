package http

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	nethttp "net/http"
	"runtime/debug"
	"strings"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
)

const (
	bodyTimeout  = 30 * time.Second // for a request's whole body
	writeTimeout = 30 * time.Second // for each piece of a response
	writePiece   = 64 << 10         // bytes
)

// call is what the edge keeps about one request.
type call struct {
	log *slog.Logger
	// guard looks at the ownership of what the path names; nil when it names
	// nothing that is owned.
	guard   func() error
	who     identity
	id      string       // of the request, in its reply, the log and the audit log
	deed    *deed        // what the audit log is told of it; nil: nothing
	effect  cluster.Deed // the same for those who store what it does
	address string       // where it comes from; empty on the socket
	trusted bool         // from the master's own machine
	secure  bool         // over TLS
}

type (
	callKey struct{}
	doorKey struct{}
)

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{log: slog.New(slog.DiscardHandler)}
}

// openPaths answer without identity. All else is closed, also what is not
// there: a new route is closed until it is written here.
var openPaths = map[string]bool{
	"/health": true, "/ready": true, "/version": true, "/metrics": true, "/openapi.json": true,
	"/api/auth/register": true, "/api/auth/login": true, "/api/auth/registration": true,
}

// ServeHTTP is the way of every request: count it, bound it, identify the
// caller, route it, log it.
func (s *Server) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	if !s.enter() {
		writeProblem(w, newProblem(nethttp.StatusServiceUnavailable, "the master is stopping").with("Retry-After", "1"))
		return
	}
	defer s.leave()
	start := time.Now()
	out := newPatientWriter(w)
	id := requestIDOf(r)
	w.Header().Set(client.RequestHeader, id)
	c := &call{log: s.log.With("request_id", id), id: id, trusted: trusted(r)}
	c.address, c.secure = s.proxies.origin(r)
	ctx := context.WithValue(r.Context(), callKey{}, c)
	if s.audit != nil {
		c.effect.Entry = s.signWith(c)
		ctx = cluster.WithDeed(ctx, &c.effect)
	}
	r = r.WithContext(ctx)
	if len(r.TransferEncoding) > 0 {
		// There may have been a Content-Length too, which a proxy in front may
		// have gone by: nothing that follows is a request (RFC 9112, 6.3).
		out.Header().Set("Connection", "close")
	}
	out.before = func(status int) { s.note(r.Context(), c, status, out.Header()) }
	defer func() {
		s.recovered(out, r, recover())
		out.extend() // for what the server itself still has to flush
		s.observe(r.Method, routeOf(r), out.status, time.Since(start))
		c.log.Debug("request", "method", r.Method, "route", r.Pattern, "path", r.URL.Path,
			"status", out.status, "bytes", out.bytes, "duration", time.Since(start))
	}()
	if s.isPage(r) {
		s.pages.ServeHTTP(out, r)
		return
	}
	if r.ContentLength != 0 {
		_ = out.control.SetReadDeadline(start.Add(bodyTimeout)) // a writer without deadlines is a test's
		body := &meteredBody{ReadCloser: r.Body, room: &s.bodies}
		r.Body = body
		defer body.release()
	}
	if s.preflight(out, r) {
		return
	}
	if refused := s.admit(c, &r); refused != nil {
		writeProblem(out, refused)
		return
	}
	s.route(out, r)
}

// routeOf is the pattern that took a request: one of few, whatever the path.
func routeOf(r *nethttp.Request) string {
	if _, route, ok := strings.Cut(r.Pattern, " "); ok {
		return route
	}
	return ""
}

// admit identifies the caller, unless the path is open. An open call that
// changes something must not come from another site's page either: it would
// sign a browser in as someone else.
func (s *Server) admit(c *call, r **nethttp.Request) *Problem {
	if s.fromForeignPage(*r) {
		return newProblem(nethttp.StatusForbidden, "this call comes from a page of another site; name that site in CORS_ALLOWED_ORIGINS if it is yours")
	}
	if openPaths[(*r).URL.Path] {
		if s.csrf.Check(*r) != nil {
			return newProblem(nethttp.StatusForbidden, "this call comes from another site's page")
		}
		return nil
	}
	who, err := s.identify(*r)
	if err != nil {
		return problemOf(err, c.log)
	}
	c.who = who
	*r = (*r).WithContext(auth.WithPrincipal((*r).Context(), who.Principal))
	return nil
}

// recovered ends a request whose handler panicked; why is nil when none did.
func (s *Server) recovered(out *patientWriter, r *nethttp.Request, why any) {
	if why == nil {
		return
	}
	if why == nethttp.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
		panic(why)
	}
	callOf(r.Context()).log.Error("handler panicked", "method", r.Method, "route", r.Pattern, "panic", why, "stack", string(debug.Stack()))
	if out.status != 0 {
		panic(nethttp.ErrAbortHandler) // the reply has begun: break it off visibly
	}
	writeProblem(out, newProblem(nethttp.StatusInternalServerError, "something went wrong inside the master; its log says what"))
}

// unrouted answers what no route takes: 405 when another method would do.
func (s *Server) unrouted(w nethttp.ResponseWriter, r *nethttp.Request) {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, newProblem(nethttp.StatusNotFound, "no such path; /openapi.json lists them all"))
		return
	}
	allow := strings.Join(allowed, ", ")
	writeProblem(w, newProblem(nethttp.StatusMethodNotAllowed, "this path takes "+allow).with("Allow", allow))
}

// patientWriter gives the client a while for each piece of the response, so
// that a stalled one is cut off and a slow one is not.
type patientWriter struct {
	nethttp.ResponseWriter
	control *nethttp.ResponseController
	status  int
	bytes   int64
	before  func(status int) // called once, before the first of a response; nil: nothing
}

func newPatientWriter(w nethttp.ResponseWriter) *patientWriter {
	p := &patientWriter{ResponseWriter: w, control: nethttp.NewResponseController(w)}
	p.deadline(time.Time{}) // none of an earlier request on this connection
	return p
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() nethttp.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) deadline(at time.Time) {
	_ = w.control.SetWriteDeadline(at) // a writer without deadlines is a test's
}

func (w *patientWriter) extend() { w.deadline(time.Now().Add(writeTimeout)) }

// WriteHeader notes the status.
func (w *patientWriter) WriteHeader(status int) {
	w.begin(status)
	if w.status == 0 || w.status < 200 {
		w.status = status
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// begin does what has to be done before the client hears anything.
func (w *patientWriter) begin(status int) {
	if w.before == nil || status < 200 && status != nethttp.StatusSwitchingProtocols {
		return
	}
	before := w.before
	w.before = nil
	before(status)
}

// Write sends data in pieces, each with its own deadline.
func (w *patientWriter) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.begin(nethttp.StatusOK)
		w.status = nethttp.StatusOK
	}
	written := 0
	for {
		piece := data[written:min(len(data), written+writePiece)]
		w.extend()
		n, err := w.ResponseWriter.Write(piece)
		written += n
		w.bytes += int64(n)
		if err != nil || written == len(data) {
			return written, err
		}
	}
}

// Hijack is for WebSockets, which from then on have the connection to
// themselves.
func (w *patientWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.begin(nethttp.StatusSwitchingProtocols)
	w.status = nethttp.StatusSwitchingProtocols
	return w.control.Hijack()
}

// Flush sends what is buffered.
func (w *patientWriter) Flush() {
	w.extend()
	_ = w.control.Flush() // a client that has gone shows at the next Write
}
