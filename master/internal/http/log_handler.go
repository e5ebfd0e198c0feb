package http

import (
	"context"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/logs"
)

// logQueryMost is how long a text to look for may be, in bytes.
const logQueryMost = 1024

const (
	textType   = "text/plain"
	ndjsonType = "application/x-ndjson"
)

func (s *Server) logRoutes(api huma.API) {
	record := api.OpenAPI().Components.Schemas.Schema(typeOf[client.LogRecord](), true, "")
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "readTaskLog", Method: nethttp.MethodGet, Path: "/api/tasks/{id}/logs",
		Summary: "The log of one attempt", Tags: []string{"logs"},
		Description: "Bytes as they came, or with Accept: application/x-ndjson one JSON object per line. offset counts bytes of " +
			"the master's copy, in which the merged order of both streams is fixed once, also under stream and q. An offset beyond " +
			"the end is 416 when the attempt is over; otherwise follow waits for it. 410 when the task's logs are kept no longer.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The log.",
			Headers: map[string]*huma.Param{
				client.NextOffsetHeader: {
					Description: "Where a later request goes on; a trailer with follow.", Schema: &huma.Schema{Type: huma.TypeInteger},
				},
				client.AttemptHeader: {
					Description: "Whose log this is.", Schema: &huma.Schema{Type: huma.TypeInteger},
				},
			},
			Content: map[string]*huma.MediaType{
				textType:   {Schema: &huma.Schema{Type: huma.TypeString}},
				ndjsonType: {Schema: record},
			},
		}},
	}), s.readTaskLog)
}

type logInput struct {
	TaskPath
	Accept     string `header:"Accept" hidden:"true"`
	Offset     int64  `query:"offset" minimum:"0" doc:"First byte wanted."`
	Tail       int    `query:"tail" default:"-1" minimum:"-1" maximum:"1000000000" doc:"Only the last so many lines; -1: all."`
	Follow     bool   `query:"follow" doc:"Stay until the attempt's log is complete."`
	Attempt    int    `query:"attempt" default:"0" minimum:"0" maximum:"1000000000" doc:"0: the newest at the time of the call."`
	Stream     string `query:"stream" enum:"stdout,stderr" doc:"Only this one; the master's own markers stay."`
	Timestamps bool   `query:"timestamps" doc:"Put the time before each line of text; it does not count in offsets."`
	Q          string `query:"q" doc:"Only lines that contain this, without regard to case." maxLength:"1024"`
	Strict     StrictQuery
}

// Resolve checks what the schema cannot say.
func (in *logInput) Resolve(huma.Context) []error {
	if in.Offset > 0 && in.Tail >= 0 {
		return []error{fault("tail", "cannot go with offset")}
	}
	return nil
}

// logRead is one log on its way out.
type logRead struct {
	in      *logInput
	reader  *logs.Reader
	ref     cluster.AttemptRef // names the log; the lease plays no part
	size    int64              // when the call came
	unborn  bool               // the attempt has not been placed yet
	ndjson  bool
	caller  cluster.Principal
	present func() int64 // the log's size now
}

func (s *Server) readTaskLog(ctx context.Context, in *logInput) (*huma.StreamResponse, error) {
	p := caller(ctx)
	view, err := s.core.Task(ctx, p, cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	read, err := s.openLogOf(ctx, view, in)
	if err != nil {
		return nil, err
	}
	read.caller = p
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { _ = read.reader.Close() }() // only read
		r, w := humago.Unwrap(hc)
		s.sendLog(r.Context(), w, read)
	}}, nil
}

// openLogOf opens the log that is asked for, if the task can have it.
func (s *Server) openLogOf(ctx context.Context, view coordinator.TaskView, in *logInput) (*logRead, error) {
	if in.Attempt > view.Attempt {
		return nil, cluster.Invalid("attempt", "the task has come to attempt "+strconv.Itoa(view.Attempt))
	}
	if view.LogsDeleted {
		return nil, fmt.Errorf("%w: the logs of task %s are kept no longer", cluster.ErrGone, view.ID)
	}
	return s.openLog(ctx, view, in)
}

func (s *Server) openLog(ctx context.Context, view coordinator.TaskView, in *logInput) (*logRead, error) {
	attempt := in.Attempt
	if attempt == 0 {
		attempt = view.Attempt
	}
	ref := cluster.AttemptRef{TaskID: view.ID, Attempt: attempt}
	read := &logRead{
		in: in, ref: ref, size: s.logs.Size(ref), unborn: attempt == view.Attempt && view.State.Waiting(),
		ndjson: strings.Contains(in.Accept, ndjsonType), present: func() int64 { return s.logs.Size(ref) },
	}
	opt := logs.ReadOptions{
		Offset: in.Offset, Tail: max(in.Tail, 0), Follow: in.Follow,
		Final: attempt < view.Attempt || view.Terminal(),
	}
	switch in.Stream {
	case "stdout":
		opt.Stream = cluster.StreamStdout
	case "stderr":
		opt.Stream = cluster.StreamStderr
	}
	if in.Tail == 0 {
		opt.Offset = read.size
	}
	var err error
	read.reader, err = s.logs.Open(ctx, ref.TaskID, ref.Attempt, opt)
	return read, err
}

// sendLog writes the whole answer. A log that breaks off is broken off on the
// wire too, so that nobody takes a part for the whole.
func (s *Server) sendLog(ctx context.Context, w nethttp.ResponseWriter, read *logRead) {
	header := w.Header()
	header.Set("Content-Type", textType+"; charset=utf-8")
	if read.ndjson {
		header.Set("Content-Type", ndjsonType)
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set(client.AttemptHeader, strconv.Itoa(read.ref.Attempt))
	if !read.in.Follow {
		header.Set(client.NextOffsetHeader, strconv.FormatInt(max(read.size, read.in.Offset), 10))
		w.WriteHeader(nethttp.StatusOK)
		s.endLog(ctx, read, copyLog(ctx, w, read))
		return
	}
	header.Set("Trailer", client.NextOffsetHeader)
	w.WriteHeader(nethttp.StatusOK)
	_ = nethttp.NewResponseController(w).Flush() // a client that has gone shows below
	ctx, done := s.untilStop(ctx)
	defer done()
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.Go(func() {
		if err := s.awaitEnd(ctx, callOf(ctx).who); err != nil {
			cancel() // what follows is for somebody else's eyes
		}
	})
	neverBorn := false
	if read.unborn {
		watch.Go(func() { neverBorn = s.awaitStillbirth(ctx, read, cancel) })
	}
	err := copyLog(ctx, w, read)
	cancel()
	watch.Wait()
	if neverBorn {
		err = nil
	}
	s.endLog(ctx, read, err)
	header.Set(client.NextOffsetHeader, strconv.FormatInt(read.reader.Offset(), 10))
}

// awaitStillbirth ends the following of an attempt that is never placed,
// whose log nobody would ever complete; it reports whether that came to pass.
func (s *Server) awaitStillbirth(ctx context.Context, read *logRead, end func()) bool {
	view, err := s.core.WaitTask(ctx, read.caller, read.ref.TaskID)
	if err != nil || !view.Terminal() {
		return false
	}
	for _, a := range view.Attempts {
		if a.Number == read.ref.Attempt {
			return false // placed in the meantime: its log is complete by now
		}
	}
	end()
	return true
}

// endLog breaks off the connection when the copy did not come to its end.
func (s *Server) endLog(ctx context.Context, read *logRead, err error) {
	if err == nil {
		return
	}
	if ctx.Err() == nil {
		s.log.Warn("log could not be sent to its end", "task_id", read.ref.TaskID, "attempt", read.ref.Attempt, "error", err)
	}
	panic(nethttp.ErrAbortHandler)
}
