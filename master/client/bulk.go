package client

import (
	"context"
	"net/http"
)

// BatchRequest is many tasks to submit at once.
type BatchRequest struct {
	Tasks  []TaskRequest `json:"tasks" doc:"At most 10,000." minItems:"1" maxItems:"10000"`
	Atomic bool          `json:"atomic,omitempty" doc:"All or none: one that is wrong refuses all."`
}

// BatchReply says what became of each task, in the order of the request.
type BatchReply struct {
	Items    []BatchItem `json:"items"`
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
}

// BatchItem has the id of a task, or what is wrong with it.
type BatchItem struct {
	TaskID string       `json:"task_id,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
}

// CancelRequest says which tasks are to stop.
type CancelRequest struct {
	Filter *CancelFilter `json:"filter" doc:"{} takes every task that the caller may cancel." nullable:"false"`
	DryRun bool          `json:"dry_run,omitempty" doc:"Only count."`
}

// TextList is a list of texts. The API also takes a single text for one.
type TextList []string

// CancelFilter narrows as the parameters of the list do, and may be written as
// they are; what is over is not taken. A field that is there and empty is refused.
type CancelFilter struct {
	TaskIDs  []string          `json:"task_ids,omitzero" doc:"These, and no other fields." minItems:"1" maxItems:"1000"`
	Status   TextList          `json:"status,omitzero" enum:"queued,assigned,running,succeeded,failed,cancelled" doc:"Any of these. A text with commas will do, as in the list's parameter." minItems:"1"`
	WorkerID string            `json:"worker_id,omitempty" minLength:"1"`
	UserID   string            `json:"user_id,omitempty" minLength:"1"`
	Name     string            `json:"name,omitempty" doc:"Prefix of the name." minLength:"1"`
	Labels   map[string]string `json:"labels,omitzero" doc:"All of them, at most 128." minProperties:"1" maxProperties:"128"`
	Label    TextList          `json:"label,omitzero" doc:"The same as name=value, as in the list's parameter." minItems:"1" maxItems:"128"`
	Since    string            `json:"since,omitempty" format:"date-time" doc:"Created at this time or later."`
	Until    string            `json:"until,omitempty" format:"date-time" doc:"Created before this time."`
	Q        string            `json:"q,omitempty" doc:"Contained in name, image, command or id, without regard to case." minLength:"1"`
}

// Narrows reports whether it says anything but which tasks by id.
func (f CancelFilter) Narrows() bool {
	return len(f.Status)+len(f.Labels)+len(f.Label) > 0 || f.WorkerID+f.UserID+f.Name+f.Since+f.Until+f.Q != ""
}

// CancelReply counts what came of it.
type CancelReply struct {
	DryRun    bool `json:"dry_run"`
	Matched   int  `json:"matched" doc:"Tasks that are meant and were not over."`
	Cancelled int  `json:"cancelled" doc:"Waited, and are cancelled."`
	Requested int  `json:"requested" doc:"Were placed: their workers stop them."`
}

// SubmitBatch hands many tasks in, under a key of its own. It is sent again as
// Submit is; what it was cut off at is completed then.
func (c *Client) SubmitBatch(ctx context.Context, r BatchRequest) (BatchReply, error) {
	return c.SubmitBatchOnce(ctx, NewKey(), r)
}

// SubmitBatchOnce is SubmitBatch under the caller's key, as SubmitOnce.
func (c *Client) SubmitBatchOnce(ctx context.Context, key string, r BatchRequest) (BatchReply, error) {
	return once[BatchReply](ctx, c, key, request{method: http.MethodPost, path: "/api/tasks/batch", body: r})
}

// CancelTasks stops many tasks, under a key of its own, and counts them; with
// DryRun it only counts.
func (c *Client) CancelTasks(ctx context.Context, r CancelRequest) (CancelReply, error) {
	return once[CancelReply](ctx, c, NewKey(), request{method: http.MethodPost, path: "/api/tasks/cancel", body: r})
}
