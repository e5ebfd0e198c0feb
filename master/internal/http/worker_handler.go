package http

import (
	"context"
	nethttp "net/http"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func (s *Server) workerRoutes(api huma.API) {
	register(api, huma.Operation{
		OperationID: "listWorkers", Method: nethttp.MethodGet, Path: "/api/workers",
		Summary: "List workers by id", Tags: []string{"workers"},
	}, s.listWorkers)
	register(api, huma.Operation{
		OperationID: "getWorker", Method: nethttp.MethodGet, Path: "/api/workers/{id}",
		Summary: "One worker", Tags: []string{"workers"},
	}, s.getWorker)
	register(api, huma.Operation{
		OperationID: "getCluster", Method: nethttp.MethodGet, Path: "/api/cluster",
		Summary: "Counts, capacity and queue", Tags: []string{"cluster"},
	}, s.getCluster)
}

func (s *Server) listWorkers(ctx context.Context, in *struct {
	PageParams
	Strict StrictQuery
},
) (*listOutput[client.Worker], error) {
	views, err := s.core.Workers(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	workers, next := pageOf("listWorkers", views, in.PageParams, func(w coordinator.WorkerView, after place) bool {
		return string(w.ID) > after.id
	}, func(w coordinator.WorkerView) place { return place{id: string(w.ID)} })
	return &listOutput[client.Worker]{client.List[client.Worker]{Items: each(workers, workerOf), NextCursor: next}}, nil
}

func (s *Server) getWorker(ctx context.Context, in *struct {
	WorkerPath
	Strict StrictQuery
},
) (*struct{ Body client.Worker }, error) {
	view, err := s.core.Worker(ctx, caller(ctx), cluster.WorkerID(in.ID))
	return &struct{ Body client.Worker }{workerOf(view)}, err
}

func (s *Server) getCluster(ctx context.Context, _ *struct{ Strict StrictQuery }) (*struct{ Body client.Cluster }, error) {
	view, err := s.core.Cluster(ctx, caller(ctx))
	return &struct{ Body client.Cluster }{clusterOf(view)}, err
}
