package http

import (
	"bufio"
	"context"
	"encoding/json"
	nethttp "net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func (s *Server) exportRoutes(api huma.API) {
	line := api.OpenAPI().Components.Schemas.Schema(typeOf[client.ExportedTask](), true, "")
	register(api, accessRead, huma.Operation{
		OperationID: "exportTasks", Method: nethttp.MethodGet, Path: "/api/export",
		Summary: "All tasks with their timelines, newest first", Tags: []string{"tasks"},
		Description: "One JSON object per line, of one's own tasks; for admins everyone's. The filters are those of the list. A stream that " +
			"does not come to its end is broken off.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The tasks.", Content: map[string]*huma.MediaType{ndjsonType: {Schema: line}},
		}},
	}, s.exportTasks)
}

// eventResponse documents what listTaskEvents writes by itself.
func eventResponse(api huma.API) map[string]*huma.Response {
	schemas := api.OpenAPI().Components.Schemas
	return map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(typeOf[client.List[client.Event]](), true, "")},
		ndjsonType:         {Schema: schemas.Schema(typeOf[client.Event](), true, "")},
	}}}
}

func (s *Server) listTaskEvents(ctx context.Context, in *struct {
	TaskPath
	Accept string `header:"Accept" hidden:"true"`
	PageParams
	Strict StrictQuery
},
) (*huma.StreamResponse, error) {
	view, err := s.core.Task(ctx, caller(ctx), cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	if strings.Contains(in.Accept, ndjsonType) {
		return lines(func(_ context.Context, out *json.Encoder) error {
			for _, e := range view.Events {
				if err := out.Encode(eventOf(e)); err != nil {
					return err
				}
			}
			return nil
		}), nil
	}
	events, next := pageOf("listTaskEvents", view.Events, in.PageParams, func(e cluster.Event, after place) bool {
		return int64(e.Seq) > after.at
	}, func(e cluster.Event) place { return place{at: int64(e.Seq)} })
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(client.List[client.Event]{Items: each(events, eventOf), NextCursor: next}) // a client that has gone
	}}, nil
}

// exportStep is how many tasks of an export are in memory at a time.
const exportStep = 200

// exportTasks reads page by page, so that it takes as little memory for all as
// for a few. The first page comes before the answer begins: what is wrong with
// it can still be told.
func (s *Server) exportTasks(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	p, filter, page := caller(ctx), in.filter(), cluster.Page{Limit: exportStep}
	views, next, err := s.core.Tasks(ctx, p, filter, page)
	if err != nil {
		return nil, err
	}
	return lines(func(ctx context.Context, out *json.Encoder) error {
		for {
			for _, v := range views {
				if err := out.Encode(exported(v)); err != nil {
					return err
				}
			}
			if next.IsZero() {
				return nil
			}
			page.After = next
			var err error
			if views, next, err = s.core.Tasks(ctx, p, filter, page); err != nil {
				return err
			}
		}
	}), nil
}

type exportInput struct {
	FilterParams
	Strict StrictQuery
}

// Resolve checks what the schema cannot say.
func (in *exportInput) Resolve(huma.Context) []error { return in.faults() }

func exported(v coordinator.TaskView) client.ExportedTask {
	return client.ExportedTask{Task: taskOf(v), Events: each(v.Events, eventOf)}
}

// lines answers with a stream of JSON objects, one per line. One that does not
// come to its end is broken off, so that nobody takes a part for the whole.
func lines(write func(context.Context, *json.Encoder) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", ndjsonType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		buffer := bufio.NewWriterSize(w, logBuffer)
		out := json.NewEncoder(buffer)
		out.SetEscapeHTML(false)
		err := write(r.Context(), out)
		if err == nil {
			err = buffer.Flush()
		}
		if err != nil {
			if r.Context().Err() == nil {
				callOf(hc.Context()).log.Warn("a stream could not be sent to its end", "error", err)
			}
			panic(nethttp.ErrAbortHandler)
		}
	}}
}
