package http

import (
	"bytes"
	"context"
	nethttp "net/http"
	"runtime"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cloudai/master/client"
)

// The calls here are open: no secret, no name of a task or user in them.
func (s *Server) healthRoutes(api huma.API) {
	register(api, accessOpen, huma.Operation{
		OperationID: "getHealth", Method: nethttp.MethodGet, Path: "/health",
		Summary: "Answers while the process serves", Tags: []string{"service"},
		Description: "200 also when the status is degraded: the master serves, but what it compares does not agree. Names nobody and nothing.",
	}, s.getHealth)
	register(api, accessOpen, huma.Operation{
		OperationID: "getReady", Method: nethttp.MethodGet, Path: "/ready",
		Summary: "200 when tasks can be accepted, else 503", Tags: []string{"service"},
	}, s.getReady)
	register(api, accessOpen, huma.Operation{
		OperationID: "getVersion", Method: nethttp.MethodGet, Path: "/version",
		Summary: "What the master is", Tags: []string{"service"},
	}, s.getVersion)
	register(api, accessOpen, huma.Operation{
		OperationID: "getMetrics", Method: nethttp.MethodGet, Path: "/metrics",
		Summary: "What Prometheus scrapes", Tags: []string{"service"},
		Description: "All names begin with cloudai_. No name of a task, a user or a worker is in it.",
		Responses: map[string]*huma.Response{"200": {
			Description: "Prometheus' text format, or OpenMetrics when asked for.",
			Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, s.getMetrics)
}

// maxScrapes is how many scrapes are looked up at a time: anybody may ask.
const maxScrapes = 2

// getMetrics has the whole answer before it sends any of it, so that one who
// does not read it keeps nobody else from asking.
func (s *Server) getMetrics(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		select {
		case s.scraping <- struct{}{}:
		default:
			writeProblem(w, newProblem(nethttp.StatusServiceUnavailable, "others are asking for the metrics right now").with("Retry-After", "1"))
			return
		}
		answer := &wholeAnswer{header: w.Header(), status: nethttp.StatusOK}
		func() {
			defer func() { <-s.scraping }()
			s.metrics.ServeHTTP(answer, r)
		}()
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()) // a client that has gone
	}}, nil
}

// wholeAnswer keeps an answer until it is whole; its header is the client's.
type wholeAnswer struct {
	header nethttp.Header
	status int
	body   bytes.Buffer
}

func (a *wholeAnswer) Header() nethttp.Header             { return a.header }
func (a *wholeAnswer) WriteHeader(status int)             { a.status = status }
func (a *wholeAnswer) Write(data []byte) (n int, _ error) { return a.body.Write(data) }

type healthOutput struct {
	Body client.Health
}

func (s *Server) getHealth(context.Context, *struct{}) (*healthOutput, error) {
	health := healthOf(s.core.Invariants())
	if s.disks != nil {
		health.Disks = s.disks()
	}
	return &healthOutput{health}, nil
}

// getReady keeps the reason for the log, once each time: who asks may be anyone.
func (s *Server) getReady(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	err := s.core.Ready(ctx)
	if err == nil {
		s.unready.Store(false)
	} else if s.unready.CompareAndSwap(false, true) {
		s.log.Warn("not ready", "error", err)
	}
	if err != nil {
		return nil, newProblem(nethttp.StatusServiceUnavailable, "the master cannot accept tasks now; its log says why").with("Retry-After", "1")
	}
	return &healthOutput{client.Health{Status: "ready"}}, nil
}

func (s *Server) getVersion(context.Context, *struct{}) (*struct{ Body client.Version }, error) {
	v := s.version
	v.Go = runtime.Version()
	return &struct{ Body client.Version }{v}, nil
}
