package http

import (
	"context"
	"errors"
	nethttp "net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
)

func (s *Server) telemetryRoutes(api huma.API) {
	register(api, accessRead, huma.Operation{
		OperationID: "getTelemetry", Method: nethttp.MethodGet, Path: "/telemetry",
		Summary: "The latest use of every worker, by its id", Tags: []string{"telemetry"},
	}, s.getTelemetry)
	register(api, accessRead, s.aboutWorker(huma.Operation{
		OperationID: "getWorkerTelemetry", Method: nethttp.MethodGet, Path: "/telemetry/{id}",
		Summary: "The latest use of one worker", Tags: []string{"telemetry"},
	}), s.getWorkerTelemetry)
	s.mux.HandleFunc("GET /ws/telemetry", s.watchTelemetry)
	s.mux.HandleFunc("GET /ws/telemetry/{id}", s.watchTelemetry)
	s.mux.HandleFunc("GET /ws/tasks", s.watchTasks)
	s.mux.HandleFunc("GET /ws/tasks/{id}/logs", s.watchLog)
}

type telemetryOutput struct {
	Body map[string]client.Telemetry
}

func (s *Server) getTelemetry(ctx context.Context, _ *struct{ Strict StrictQuery }) (*telemetryOutput, error) {
	views, err := s.core.Workers(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	return &telemetryOutput{telemetryByID(views)}, nil
}

func (s *Server) getWorkerTelemetry(ctx context.Context, in *struct {
	WorkerPath
	Strict StrictQuery
},
) (*struct{ Body client.Telemetry }, error) {
	view, err := s.core.Worker(ctx, caller(ctx), cluster.WorkerID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Telemetry }{telemetryOf(view)}, nil
}

func telemetryByID(views []coordinator.WorkerView) map[string]client.Telemetry {
	out := make(map[string]client.Telemetry, len(views))
	for _, v := range views {
		out[string(v.ID)] = telemetryOf(v)
	}
	return out
}

// Changes gather a little before they are sent, so that a busy cluster does not
// send a frame for every one.
const (
	deltaPause = 200 * time.Millisecond
	deltaMost  = 1000 // things in one frame
)

// watchTelemetry sends the use of all workers, or of the one in the path, over
// a WebSocket: a snapshot, then deltas. The data are as GET /telemetry gives
// them; in a delta only what has changed, null for a worker that is gone.
func (s *Server) watchTelemetry(w nethttp.ResponseWriter, r *nethttp.Request) {
	if err := accessRead.allows(caller(r.Context())); err != nil {
		writeProblem(w, problemOf(err, s.log))
		return
	}
	only := cluster.WorkerID(r.PathValue("id"))
	if only != "" {
		if _, err := s.core.Worker(r.Context(), caller(r.Context()), only); err != nil {
			writeProblem(w, problemOf(err, s.log))
			return
		}
	}
	query, refused := querySocket(r)
	if refused == nil {
		refused = query.problem()
	}
	if refused != nil {
		writeProblem(w, refused)
		return
	}
	s.serveSocket(w, r, func(ctx context.Context, socket *socket) error {
		return s.sendTelemetry(ctx, socket, only)
	})
}

func (s *Server) sendTelemetry(ctx context.Context, socket *socket, only cluster.WorkerID) error {
	for kind := frameSnapshot; ; kind = frameResync {
		views, changes := s.core.WatchWorkers(ctx, caller(ctx))
		err := socket.send(kind, wholeTelemetry(views, only))
		if err == nil {
			err = s.sendTelemetryChanges(ctx, socket, only, changes)
		}
		changes.Close()
		if !errors.Is(err, events.ErrResync) {
			return err
		}
	}
}

func wholeTelemetry(views []coordinator.WorkerView, only cluster.WorkerID) any {
	if only == "" {
		return telemetryByID(views)
	}
	for _, v := range views {
		if v.ID == only {
			return telemetryOf(v)
		}
	}
	return nil
}

func (s *Server) sendTelemetryChanges(ctx context.Context, socket *socket, only cluster.WorkerID, changes *events.Subscription[coordinator.Event]) error {
	for {
		changed, err := gather(ctx, changes, only)
		if err != nil {
			return err
		}
		delta := make(map[string]*client.Telemetry, len(changed))
		for id := range changed {
			view, err := s.core.Worker(ctx, caller(ctx), id)
			switch {
			case errors.Is(err, cluster.ErrNotFound):
				delta[string(id)] = nil
			case err != nil:
				return err
			default:
				now := telemetryOf(view)
				delta[string(id)] = &now
			}
		}
		var data any = delta
		if only != "" {
			data = delta[string(only)]
		}
		if err := socket.send(frameDelta, data); err != nil {
			return err
		}
	}
}

// gather waits for changes of workers, or of the one.
func gather(ctx context.Context, changes *events.Subscription[coordinator.Event], only cluster.WorkerID) (map[cluster.WorkerID]bool, error) {
	changed := map[cluster.WorkerID]bool{}
	err := gatherInto(ctx, changes, func(e coordinator.Event) int {
		for _, id := range workersIn(e) {
			if only == "" || id == only {
				changed[id] = true
			}
		}
		return len(changed)
	})
	return changed, err
}

// gatherInto waits for a change and then a little longer for more. take notes
// one and says how many have been noted; from most on no more are waited for.
func gatherInto(ctx context.Context, changes *events.Subscription[coordinator.Event], take func(coordinator.Event) int) error {
	noted := 0
	next := func(ctx context.Context) error {
		e, err := changes.Next(ctx)
		if err == nil {
			noted = take(e.Value)
		}
		return err
	}
	for noted == 0 {
		if err := next(ctx); err != nil {
			return err
		}
	}
	pause, cancel := context.WithTimeout(ctx, deltaPause)
	defer cancel()
	for noted < deltaMost {
		switch err := next(pause); {
		case err == nil:
		case pause.Err() != nil && ctx.Err() == nil:
			return nil // the pause is over
		default:
			return err
		}
	}
	return nil
}

// workersIn are the workers that an event is about.
func workersIn(e coordinator.Event) []cluster.WorkerID {
	if e.Worker != nil {
		return []cluster.WorkerID{*e.Worker}
	}
	if e.Task == nil {
		return nil
	}
	t := e.Task.Task
	if t.WorkerID != "" {
		return []cluster.WorkerID{t.WorkerID}
	}
	if n := len(t.Attempts); n > 0 { // it has just left this one
		return []cluster.WorkerID{t.Attempts[n-1].WorkerID}
	}
	return nil
}
