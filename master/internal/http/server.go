package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	nethttp "net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/cors"
	"golang.org/x/sync/errgroup"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/audit"
	"cloudai/master/internal/crowd"
	"cloudai/master/internal/history"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

const (
	headerTimeout  = 10 * time.Second // for a request's header
	idleTimeout    = 2 * time.Minute  // of a connection kept alive
	maxHeaderBytes = 64 << 10

	// Bounds of the connections over TCP. Each costs some 20 KiB while it says
	// nothing, and its file descriptor.
	maxQuiet       = 1024
	maxConnections = 2048
)

// fullHouse is what one hears that finds everybody else busy.
const fullHouse = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n" +
	"Content-Type: application/problem+json\r\n\r\n" +
	`{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too many connections"}` + "\n"

// Config is what the edge works with.
type Config struct {
	Core     Core
	Accounts *accounts.Accounts
	Logs     *logs.Keeper
	Files    *storage.Keeper
	Audit    *audit.Log // who did what; nil: nobody notes it
	Version  client.Version
	Join     client.Join     // how workers join; the command is written by the edge
	Origins  []string        // of other sites whose pages may call
	Proxies  []netip.Prefix  // whose word about who calls, and over TLS, is taken
	Log      *slog.Logger    // nil: none
	Metrics  nethttp.Handler // answers /metrics; nil: nothing
	// History is what the cluster did over the last hour, oldest first; nil:
	// nothing is known.
	History func() []history.Sample
	// Observe hears of every request; the route is a pattern, or empty for what
	// no route takes. nil: nobody does.
	Observe func(method, route string, status int, d time.Duration)
	Disks   func() []client.Disk // how much the master has left; nil: not known
	Pages   Pages                // the dashboard; nil: none
	// ShutdownGrace is how long requests under way may take when the edge
	// stops; 0: 5 s. Long waits and followed logs end at once.
	ShutdownGrace time.Duration
}

// Server is the edge. It is a handler, so that tests need no port; Run serves
// it.
type Server struct {
	core        Core
	accounts    *accounts.Accounts
	logs        *logs.Keeper
	files       *storage.Keeper
	audit       *audit.Log
	version     client.Version
	join        client.Join
	origins     []string
	proxies     proxies
	disks       func() []client.Disk
	metrics     nethttp.Handler
	scraping    chan struct{} // a turn of one of the few who ask for the metrics
	observe     func(method, route string, status int, d time.Duration)
	history     func() []history.Sample
	pages       Pages
	csrf        *nethttp.CrossOriginProtection
	cors        *cors.Cors // nil: no other site
	log         *slog.Logger
	grace       time.Duration
	bodies      bodyRoom
	sockets     socketCount
	batchValues int // that a batch may have
	mux         *nethttp.ServeMux
	zipped      nethttp.Handler // the same, compressing
	openAPI     []byte

	unready atomic.Bool // that it is not ready was logged

	stopping context.Context // done once the edge stops
	stop     context.CancelFunc
	gate     sync.RWMutex // held for reading by each request under way
	closed   bool         // no request may begin; guarded by gate
}

// New makes the edge; it starts nothing.
func New(c Config) (*Server, error) {
	s := &Server{
		core: c.Core, accounts: c.Accounts, logs: c.Logs, files: c.Files, audit: c.Audit, version: c.Version, join: c.Join,
		origins: c.Origins, proxies: c.Proxies, csrf: nethttp.NewCrossOriginProtection(), cors: newCORS(c.Origins), log: c.Log, grace: c.ShutdownGrace,
		disks: c.Disks, metrics: c.Metrics, observe: c.Observe, history: c.History, pages: c.Pages, bodies: bodyRoom{most: maxBodies}, mux: nethttp.NewServeMux(),
		batchValues: maxBatchValues, scraping: make(chan struct{}, maxScrapes),
	}
	for _, origin := range c.Origins {
		if err := s.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("CORS_ALLOWED_ORIGINS: %w", err)
		}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) {})
	}
	if s.observe == nil {
		s.observe = func(string, string, int, time.Duration) {}
	}
	if s.grace == 0 {
		s.grace = 5 * time.Second
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	doc, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.openAPI = doc
	if s.zipped, err = newZipped(s.mux); err != nil {
		return nil, err
	}
	return s, nil
}

// Run serves the Unix socket and TCP (either may be nil) until the context
// ends, then lets requests under way finish within the grace and closes what is
// left. It closes the listeners. When it returns, none of its goroutines runs.
// It serves once.
func (s *Server) Run(ctx context.Context, socket, tcp net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	serve := func(l net.Listener, d door) {
		if l == nil {
			return
		}
		server := s.server(d)
		if d == doorTCP {
			guests := crowd.New(crowd.Config{Quiet: maxQuiet, All: maxConnections, Refusal: []byte(fullHouse)})
			l, server.ConnState = guests.Listen(l), watch(guests)
		}
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, nethttp.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			s.stop()
			s.shutdown(server)
			return nil
		})
	}
	serve(socket, doorSocket)
	serve(tcp, doorTCP)
	err := group.Wait()
	s.gate.Lock() // waits for the last handler
	s.closed = true
	s.gate.Unlock()
	return err
}

// watch tells the crowd which connections have a request under way; one that was
// hijacked has until it is closed.
func watch(guests *crowd.Crowd) func(net.Conn, nethttp.ConnState) {
	return func(conn net.Conn, state nethttp.ConnState) {
		switch state {
		case nethttp.StateActive, nethttp.StateHijacked:
			guests.Busy(conn.RemoteAddr().String())
		case nethttp.StateIdle:
			guests.Quiet(conn.RemoteAddr().String())
		case nethttp.StateNew, nethttp.StateClosed: // the listener sees them
		}
	}
}

func (s *Server) server(d door) *nethttp.Server {
	return &nethttp.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, doorKey{}, d)
		},
	}
}

// shutdown ends one listener's server; connections that outlast the grace are
// closed, which cancels their requests.
func (s *Server) shutdown(server *nethttp.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what it has to say, Shutdown has said
		s.log.Warn("requests were cut off at the end of the shutdown's grace")
	}
}

func (s *Server) enter() bool {
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return false
	}
	return true
}

func (s *Server) leave() { s.gate.RUnlock() }

// untilStop is a context for what may take long: it also ends when the edge
// stops.
func (s *Server) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(s.stopping, cancel)
	return ctx, func() {
		release()
		cancel()
	}
}

// writeProblem sends a problem from outside huma.
func writeProblem(w nethttp.ResponseWriter, p *Problem) {
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // a client that has gone
}
