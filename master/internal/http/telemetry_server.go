package http

import (
	"context"
	nethttp "net/http"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

func (s *Server) telemetryRoutes(api huma.API) {
	register(api, huma.Operation{
		OperationID: "getTelemetry", Method: nethttp.MethodGet, Path: "/telemetry",
		Summary: "The latest use of every worker, by its id", Tags: []string{"telemetry"},
	}, s.getTelemetry)
	register(api, huma.Operation{
		OperationID: "getWorkerTelemetry", Method: nethttp.MethodGet, Path: "/telemetry/{id}",
		Summary: "The latest use of one worker", Tags: []string{"telemetry"},
	}, s.getWorkerTelemetry)
}

type telemetryOutput struct {
	Body map[string]client.Telemetry
}

func (s *Server) getTelemetry(ctx context.Context, _ *struct{ Strict StrictQuery }) (*telemetryOutput, error) {
	views, err := s.core.Workers(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	out := make(map[string]client.Telemetry, len(views))
	for _, v := range views {
		out[string(v.ID)] = telemetryOf(v)
	}
	return &telemetryOutput{out}, nil
}

func (s *Server) getWorkerTelemetry(ctx context.Context, in *struct {
	WorkerPath
	Strict StrictQuery
},
) (*struct{ Body client.Telemetry }, error) {
	view, err := s.core.Worker(ctx, caller(ctx), cluster.WorkerID(in.ID))
	return &struct{ Body client.Telemetry }{telemetryOf(view)}, err
}
