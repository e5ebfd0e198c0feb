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
	register(api, accessRead, huma.Operation{
		OperationID: "listWorkers", Method: nethttp.MethodGet, Path: "/api/workers",
		Summary: "List workers by id", Tags: []string{"workers"},
	}, s.listWorkers)
	register(api, accessRead, s.aboutWorker(huma.Operation{
		OperationID: "getWorker", Method: nethttp.MethodGet, Path: "/api/workers/{id}",
		Summary: "One worker", Tags: []string{"workers"},
	}), s.getWorker)
	register(api, accessRead, s.aboutWorker(huma.Operation{
		OperationID: "getWorkerMetrics", Method: nethttp.MethodGet, Path: "/api/workers/{id}/metrics",
		Summary: "A worker's use over the last hour", Tags: []string{"workers"},
	}), s.getWorkerMetrics)
	register(api, accessRead, s.aboutWorker(huma.Operation{
		OperationID: "listWorkerTasks", Method: nethttp.MethodGet, Path: "/api/workers/{id}/tasks",
		Summary: "Tasks whose present or last attempt is on the worker, newest first", Tags: []string{"workers"},
	}), s.listWorkerTasks)
	register(api, accessAdmin, huma.Operation{
		OperationID: "registerWorker", Method: nethttp.MethodPost, Path: "/api/workers", DefaultStatus: nethttp.StatusCreated,
		Summary: "Call a worker at its address and take it in", Tags: []string{"workers"},
		Description: "The worker must prove that it knows the join token, which is never sent to it. Ends the bar of a worker that was removed.",
	}, s.registerWorker)
	withBody[client.WorkerRequest](api, nethttp.MethodPost, "/api/workers")
	register(api, accessAdmin, s.aboutWorker(huma.Operation{
		OperationID: "removeWorker", Method: nethttp.MethodDelete, Path: "/api/workers/{id}", DefaultStatus: nethttp.StatusNoContent,
		Summary: "Take a worker out and bar its id", Tags: []string{"workers"},
		Description: "409 when it has tasks, unless forced: then they run elsewhere. The id stays barred until it is registered again.",
	}), s.removeWorker)
	register(api, accessAdmin, s.aboutWorker(huma.Operation{
		OperationID: "drainWorker", Method: nethttp.MethodPost, Path: "/api/workers/{id}/drain",
		Summary: "Let a worker finish what it has and give it nothing new", Tags: []string{"workers"},
	}), s.drain(true))
	register(api, accessAdmin, s.aboutWorker(huma.Operation{
		OperationID: "undrainWorker", Method: nethttp.MethodPost, Path: "/api/workers/{id}/undrain",
		Summary: "Give a drained worker tasks again", Tags: []string{"workers"},
	}), s.drain(false))
}

type workerOutput struct {
	Body client.Worker
}

func workerReply(v coordinator.WorkerView, err error) (*workerOutput, error) {
	if err != nil {
		return nil, err
	}
	return &workerOutput{workerOf(v)}, nil
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

func (s *Server) getWorker(ctx context.Context, in *WorkerInput) (*workerOutput, error) {
	return workerReply(s.core.Worker(ctx, caller(ctx), cluster.WorkerID(in.ID)))
}

// WorkerInput is the input of calls that say no more than which worker.
type WorkerInput struct {
	WorkerPath
	Strict StrictQuery
}

func (s *Server) getWorkerMetrics(ctx context.Context, in *WorkerInput) (*struct{ Body client.WorkerMetrics }, error) {
	w, samples, err := s.core.WorkerHistory(ctx, caller(ctx), cluster.WorkerID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.WorkerMetrics }{workerMetricsOf(w, samples)}, nil
}

func (s *Server) listWorkerTasks(ctx context.Context, in *struct {
	WorkerPath
	PageParams
	Status []string `query:"status" enum:"queued,assigned,running,succeeded,failed,cancelled" doc:"Any of these, separated by commas."`
	Strict StrictQuery
},
) (*listOutput[client.Task], error) {
	filter := cluster.TaskFilter{Statuses: statusesOf(in.Status)}
	page := cluster.Page{Limit: in.Limit, After: in.after.cursor()}
	views, next, err := s.core.WorkerTasks(ctx, caller(ctx), cluster.WorkerID(in.ID), filter, page)
	if err != nil {
		return nil, err
	}
	return &listOutput[client.Task]{client.List[client.Task]{
		Items: each(views, taskOf), NextCursor: cursorOf("listWorkerTasks", next),
	}}, nil
}

func (s *Server) registerWorker(ctx context.Context, in *BodyInput) (*struct {
	Location string `header:"Location"`
	Body     client.Worker
}, error,
) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.WorkerRequest) error {
		return coordinator.CheckWorker(cluster.WorkerID(b.WorkerID), b.Address)
	})
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, body.WorkerID)
	noteDetail(ctx, "address", body.Address)
	v, err := s.core.RegisterWorker(ctx, caller(ctx), cluster.WorkerID(body.WorkerID), body.Address)
	if err != nil {
		return nil, err
	}
	return &struct {
		Location string `header:"Location"`
		Body     client.Worker
	}{"/api/workers/" + string(v.ID), workerOf(v)}, nil
}

func (s *Server) removeWorker(ctx context.Context, in *struct {
	WorkerPath
	Force  bool `query:"force" doc:"Also when it has tasks."`
	Strict StrictQuery
},
) (*struct{}, error) {
	if in.Force {
		noteDetail(ctx, "force", "true")
	}
	return nil, s.core.RemoveWorker(ctx, caller(ctx), cluster.WorkerID(in.ID), in.Force)
}

func (s *Server) drain(on bool) func(context.Context, *struct {
	WorkerInput
	None NoBody
}) (*workerOutput, error) {
	return func(ctx context.Context, in *struct {
		WorkerInput
		None NoBody
	},
	) (*workerOutput, error) {
		return workerReply(s.core.Drain(ctx, caller(ctx), cluster.WorkerID(in.ID), on))
	}
}
