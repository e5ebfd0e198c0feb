package http

import (
	"context"
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// maxBody is the limit of a request's body; huma refuses what reaches its own
// limit, hence the one more where it is set.
const maxBody = 1 << 20

// maxTaskBody is the limit of a task's body. The content of its input files does
// not count in maxBody: they may be cluster.MaxInputBytes together, of which JSON
// may write each byte as six (\u0041).
const maxTaskBody = maxBody + 6*cluster.MaxInputBytes

// maxOpenBody is the limit where nobody is known yet: room for what signing in
// and registering take, and little work for those who want to make some.
const maxOpenBody = 16 << 10

func (s *Server) taskRoutes(api huma.API) {
	register(api, accessSubmit, huma.Operation{
		OperationID: "submitTask", Method: nethttp.MethodPost, Path: "/api/tasks", DefaultStatus: nethttp.StatusCreated,
		Summary: "Submit a task", Tags: []string{"tasks"}, MaxBodyBytes: maxTaskBody + 1,
		Description: "Accepts a task. The 201 means that it is on disk and survives a power cut. With Idempotency-Key the request " +
			"may be repeated: see there. 429 when more tasks come than the disk takes; 507 when the caller's output files have used up " +
			"their quota, or the master's disk is full; nothing has happened then. A task may be 1 MiB beside the content of its inputs.",
	}, s.submitTask)
	withBody[client.TaskRequest](api, nethttp.MethodPost, "/api/tasks")
	register(api, accessRead, huma.Operation{
		OperationID: "listTasks", Method: nethttp.MethodGet, Path: "/api/tasks",
		Summary: "List tasks, newest first", Tags: []string{"tasks"},
		Description: "One's own tasks; for admins everyone's. Filters apply before the limit. A page of large tasks has fewer than limit: " +
			"it is over when there is no next_cursor.",
	}, s.listTasks)
	register(api, accessRead, huma.Operation{
		OperationID: "listTaskIDs", Method: nethttp.MethodGet, Path: "/api/task-ids",
		Summary: "Task ids that begin with a prefix", Tags: []string{"tasks"},
	}, s.listTaskIDs)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "getTask", Method: nethttp.MethodGet, Path: "/api/tasks/{id}",
		Summary: "One task", Tags: []string{"tasks"},
	}), s.getTask)
	register(api, accessSubmit, s.aboutTask(huma.Operation{
		OperationID: "cancelTask", Method: nethttp.MethodDelete, Path: "/api/tasks/{id}", DefaultStatus: nethttp.StatusAccepted,
		Summary: "Cancel a task", Tags: []string{"tasks"},
		Description: "Idempotent while the task runs; 409 when it is finished.",
	}), s.cancelTask)
	register(api, accessSubmit, s.aboutTask(huma.Operation{
		OperationID: "editTask", Method: nethttp.MethodPatch, Path: "/api/tasks/{id}",
		Summary: "Change a task that waits", Tags: []string{"tasks"},
		Description: "Name, priority and timeout; what is absent stays. 409 once the task is placed. With If-Match (the ETag, which is " +
			"the version in quotes) 412 when the task has changed since.",
	}), s.editTask)
	withBody[client.TaskChange](api, nethttp.MethodPatch, "/api/tasks/{id}")
	register(api, accessSubmit, s.aboutTask(huma.Operation{
		OperationID: "retryTask", Method: nethttp.MethodPost, Path: "/api/tasks/{id}/retry", DefaultStatus: nethttp.StatusCreated,
		Summary: "Submit a finished task's spec anew", Tags: []string{"tasks"},
		Description: "The new task is the caller's, with retry_of. 409 while the task is not finished. With Idempotency-Key the " +
			"request may be repeated: see there.",
	}), s.retryTask)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "getTaskSpec", Method: nethttp.MethodGet, Path: "/api/tasks/{id}/spec",
		Summary: "The body that submits the same task again", Tags: []string{"tasks"},
		Description: "With the content of its input files, which the task itself names by path and size only. Sent to POST /api/tasks, " +
			"changed or not, it makes a new task of the caller's.",
	}), s.getTaskSpec)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "getTaskMetrics", Method: nethttp.MethodGet, Path: "/api/tasks/{id}/metrics",
		Summary: "What an attempt's container used over its time", Tags: []string{"tasks"},
	}), s.getTaskMetrics)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "listTaskEvents", Method: nethttp.MethodGet, Path: "/api/tasks/{id}/events",
		Summary: "The task's timeline, oldest first", Tags: []string{"tasks"},
		Description: "Each change of state with time, attempt, worker and cause. With Accept: application/x-ndjson all of them, one JSON " +
			"object per line; limit and cursor play no part then.",
		Responses: eventResponse(api),
	}), s.listTaskEvents)
}

type taskOutput struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body client.Task
}

func taskReply(v coordinator.TaskView, err error) (*taskOutput, error) {
	if err != nil {
		return nil, err
	}
	return &taskOutput{ETag: etag(v.Version), Body: taskOf(v)}, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

type listOutput[T any] struct {
	Body client.List[T]
}

func (s *Server) submitTask(ctx context.Context, in *struct {
	OnceParam
	RawBody []byte
	Strict  StrictQuery // not in an embedded struct: beside one that resolves itself huma would not see it
},
) (*createdOutput, error) {
	body, request, _, err := taskRequest(in.RawBody, maxValues)
	if err != nil {
		return nil, err
	}
	return createdReply(s.core.Submit(ctx, caller(ctx), request, in.of(body)))
}

// sizeBesideInputs is how many bytes a task's body takes without the content of
// its input files.
func sizeBesideInputs(b client.TaskRequest) int {
	b.Inputs = slices.Clone(b.Inputs)
	for i := range b.Inputs {
		b.Inputs[i].Content = ""
	}
	var size byteCount
	plain := json.NewEncoder(&size)
	plain.SetEscapeHTML(false)
	_ = plain.Encode(b) // it was JSON a moment ago
	return int(size)
}

// byteCount is a writer that only counts.
type byteCount int

func (c *byteCount) Write(p []byte) (int, error) {
	*c += byteCount(len(p))
	return len(p), nil
}

// taskRequest decodes a task's body of at most so many values, and says how many
// there were. When something in it does not decode, the domain's own complaints
// about the rest are added, so that all come at once.
func taskRequest(raw []byte, most int) (body client.TaskRequest, request cluster.TaskRequest, values int, err error) {
	faults, values, err := decodeSome(raw, &body, most)
	if err != nil {
		return body, request, values, newProblem(nethttp.StatusBadRequest, err.Error())
	}
	if len(raw) > maxBody && sizeBesideInputs(body) > maxBody {
		return body, request, values, newProblem(nethttp.StatusRequestEntityTooLarge,
			fmt.Sprintf("the task is larger than %d bytes beside the content of its inputs", maxBody))
	}
	request, more := requestOf(body)
	if faults = append(faults, more...); len(faults) == 0 {
		return body, request, values, nil
	}
	_, err = request.Spec()
	return body, request, values, &cluster.InvalidError{Fields: alsoWrong(faults, err)}
}

type getTaskInput struct {
	TaskPath
	WaitParam
	Strict StrictQuery
}

func (s *Server) getTask(ctx context.Context, in *getTaskInput) (*taskOutput, error) {
	id := cluster.TaskID(in.ID)
	if in.wait == 0 {
		return taskReply(s.core.Task(ctx, caller(ctx), id))
	}
	ctx, done := s.untilStop(ctx)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, in.wait)
	defer cancel()
	return taskReply(s.core.WaitTask(ctx, caller(ctx), id))
}

func (s *Server) cancelTask(ctx context.Context, in *struct {
	TaskPath
	Strict StrictQuery
},
) (*taskOutput, error) {
	return taskReply(s.core.Cancel(ctx, caller(ctx), cluster.TaskID(in.ID)))
}

type editTaskInput struct {
	TaskPath
	IfMatch string `header:"If-Match" doc:"The ETag that was seen."`
	BodyInput

	version int64
}

// Resolve reads If-Match: one ETag, or * for any; a version's plain number will
// do. Having a Resolve of its own, it has to ask the one it embeds.
func (in *editTaskInput) Resolve(ctx huma.Context) []error {
	faults := in.Strict.Resolve(ctx)
	if in.IfMatch == "" || in.IfMatch == "*" {
		return faults
	}
	version, ok := versionOf(in.IfMatch)
	if !ok {
		return append(faults, fault("If-Match", `must be an ETag of this task, such as "3"`))
	}
	in.version = version
	return faults
}

// entityTag is one ETag, weak or strong (RFC 9110, 8.8.3).
var entityTag = regexp.MustCompile(`^(W/)?"[\x21\x23-\x7e\x80-\xff]*"$`)

// versionOf is the version that an If-Match names. An ETag that no version has,
// such as a weak one, is as stale as an old one: -1.
func versionOf(match string) (version int64, ok bool) {
	version, err := strconv.ParseInt(strings.Trim(match, `"`), 10, 64)
	if err == nil && version > 0 && (match == etag(version) || match == strconv.FormatInt(version, 10)) {
		return version, true
	}
	return -1, entityTag.MatchString(match)
}

func (s *Server) editTask(ctx context.Context, in *editTaskInput) (*taskOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.TaskChange) error {
		_, err := changeOf(b).Edit()
		return err
	})
	if err != nil {
		return nil, err
	}
	for field, is := range map[string]bool{"name": body.Name != nil, "priority": body.Priority != nil, "timeout": body.Timeout != nil} {
		if is {
			noteDetail(ctx, field, "")
		}
	}
	return taskReply(s.core.EditTask(ctx, caller(ctx), cluster.TaskID(in.ID), changeOf(body), in.version))
}

func changeOf(b client.TaskChange) cluster.TaskChange {
	return cluster.TaskChange{Name: b.Name, Priority: b.Priority, Timeout: b.Timeout}
}

func (s *Server) retryTask(ctx context.Context, in *struct {
	TaskPath
	OnceParam
	Strict StrictQuery
	None   NoBody
},
) (*createdOutput, error) {
	return createdReply(s.core.Retry(ctx, caller(ctx), cluster.TaskID(in.ID), in.of(nil)))
}

func (s *Server) getTaskSpec(ctx context.Context, in *struct {
	TaskPath
	Strict StrictQuery
},
) (*struct{ Body client.TaskRequest }, error) {
	view, err := s.core.Task(ctx, caller(ctx), cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.TaskRequest }{specOf(view.Spec)}, nil
}

func (s *Server) getTaskMetrics(ctx context.Context, in *struct {
	TaskPath
	Attempt int `query:"attempt" default:"0" minimum:"0" maximum:"1000000000" doc:"0: the newest."`
	Strict  StrictQuery
},
) (*struct{ Body client.TaskMetrics }, error) {
	usage, err := s.core.TaskUsage(ctx, caller(ctx), cluster.TaskID(in.ID), in.Attempt)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.TaskMetrics }{taskMetricsOf(usage)}, nil
}

// FilterParams narrow a list of tasks.
type FilterParams struct {
	Status   []string  `query:"status" enum:"queued,assigned,running,succeeded,failed,cancelled" doc:"Any of these, separated by commas."`
	WorkerID string    `query:"worker_id" doc:"Of the present or last attempt."`
	UserID   string    `query:"user_id"`
	Name     string    `query:"name" doc:"Prefix of the name."`
	Label    []string  `query:"label,explode" doc:"name=value; all of them when repeated, at most 128."`
	Failure  string    `query:"failure" enum:"exit,oom,timeout,image,registry,runtime,worker_lost,storage,upload"`
	Since    time.Time `query:"since" doc:"Created at this time or later."`
	Until    time.Time `query:"until" doc:"Created before this time."`
	Q        string    `query:"q" doc:"Contained in name, image, command or id, without regard to case."`
}

// tooManyLabels says why no task has them all.
var tooManyLabels = fmt.Sprintf("must be at most %d", cluster.MaxLabels)

// faults are what the schema cannot say.
func (in *FilterParams) faults() (faults []error) {
	if len(in.Label) > cluster.MaxLabels {
		return []error{fault("label", tooManyLabels)}
	}
	for _, label := range in.Label {
		if name, _, ok := strings.Cut(label, "="); !ok || name == "" {
			faults = append(faults, fault("label", "must be name=value"))
		}
	}
	return faults
}

type listTasksInput struct {
	PageParams
	FilterParams
	Sort   string `query:"sort" enum:"-created_at,created_at,name,-name" doc:"-created_at, newest first, when absent. Names go byte by byte; within one name the newest is first, with -name the oldest."`
	Strict StrictQuery
}

// order is what is sorted by.
func (in *listTasksInput) order() cluster.ListOrder {
	if in.Sort == "-created_at" {
		return cluster.NewestFirst
	}
	return cluster.ListOrder(in.Sort)
}

// kind tells lists of different orders apart: a place in one is none in another.
func (in *listTasksInput) kind() string { return "listTasks" + string(in.order()) }

// Resolve checks what the schema cannot say. It hides the embedded page's own,
// hence the call.
func (in *listTasksInput) Resolve(huma.Context) []error {
	return append(in.read(in.kind()), in.faults()...)
}

func (in *FilterParams) filter() cluster.TaskFilter {
	f := cluster.TaskFilter{
		WorkerID: cluster.WorkerID(in.WorkerID), UserID: cluster.UserID(in.UserID), NamePrefix: in.Name,
		Failure: cluster.Failure(in.Failure), Since: in.Since, Until: in.Until, Text: in.Q,
		Statuses: statusesOf(in.Status),
	}
	for _, label := range in.Label {
		name, value, _ := strings.Cut(label, "=")
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[name] = value
	}
	return f
}

// statusesOf are statuses that the schema has checked.
func statusesOf(names []string) []cluster.Status {
	if len(names) == 0 {
		return nil
	}
	return each(names, func(name string) cluster.Status { return cluster.Status(name) })
}

func (s *Server) listTasks(ctx context.Context, in *listTasksInput) (*listOutput[client.Task], error) {
	page := cluster.Page{Limit: in.Limit, After: in.after.cursor(), Order: in.order()}
	views, next, err := s.core.Tasks(ctx, caller(ctx), in.filter(), page)
	if err != nil {
		return nil, err
	}
	return &listOutput[client.Task]{client.List[client.Task]{
		Items: each(views, taskOf), NextCursor: cursorOf(in.kind(), next),
	}}, nil
}

func (s *Server) listTaskIDs(ctx context.Context, in *struct {
	Prefix string `query:"prefix" doc:"Empty: any." maxLength:"256"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Strict StrictQuery
},
) (*listOutput[string], error) {
	ids, err := s.core.TasksWithPrefix(ctx, caller(ctx), in.Prefix, in.Limit)
	if err != nil {
		return nil, err
	}
	return &listOutput[string]{client.List[string]{
		Items: each(ids, func(id cluster.TaskID) string { return string(id) }),
	}}, nil
}
