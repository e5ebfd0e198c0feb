package http

import (
	"context"
	nethttp "net/http"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
)

func (s *Server) clusterRoutes(api huma.API) {
	register(api, accessRead, huma.Operation{
		OperationID: "getCluster", Method: nethttp.MethodGet, Path: "/api/cluster",
		Summary: "Counts, capacity and queue", Tags: []string{"cluster"},
	}, s.getCluster)
	register(api, accessRead, huma.Operation{
		OperationID: "getClusterMetrics", Method: nethttp.MethodGet, Path: "/api/cluster/metrics",
		Summary: "What the whole cluster had, used, held waiting and finished over the last hour", Tags: []string{"cluster"},
	}, s.getClusterMetrics)
	register(api, accessAdmin, huma.Operation{
		OperationID: "getJoin", Method: nethttp.MethodGet, Path: "/api/cluster/join",
		Summary: "How a worker on another machine joins", Tags: []string{"cluster"},
		Description: "The token lets a worker in; it is for administrators' eyes.",
	}, s.getJoin)
}

func (s *Server) getCluster(ctx context.Context, _ *struct{ Strict StrictQuery }) (*struct{ Body client.Cluster }, error) {
	view, err := s.core.Cluster(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Cluster }{clusterOf(view)}, nil
}

func (s *Server) getJoin(context.Context, *struct{ Strict StrictQuery }) (*struct {
	CacheControl string `header:"Cache-Control"`
	Body         client.Join
}, error,
) {
	out := &struct {
		CacheControl string `header:"Cache-Control"`
		Body         client.Join
	}{"no-store", s.join}
	out.Body.Command = "MASTER_ADDR=" + s.join.MasterAddr + " JOIN_TOKEN=" + s.join.Token + " ./runWorker.sh"
	return out, nil
}
