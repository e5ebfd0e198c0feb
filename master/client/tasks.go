package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Submit hands a task in, under a key of its own. When it returns nil the task
// survives a power cut of the master. When the connection breaks, or the master
// has no room or trouble with its store, the request is sent again within the
// client's patience; the task is there once all the same. Only after an
// *UnreachableError, or an *Error of status 503 or 409, it may or may not be
// there; SubmitOnce can ask again. An *Error of status 507 says that the master's
// disk is full: nothing was kept.
func (c *Client) Submit(ctx context.Context, r TaskRequest) (Task, error) {
	return c.SubmitOnce(ctx, NewKey(), r)
}

// SubmitOnce is Submit under the caller's key: with the same key, within 24
// hours, it gives the same task, as it was first, however often it is called.
// Another request with a known key is an *Error of status 422.
func (c *Client) SubmitOnce(ctx context.Context, key string, r TaskRequest) (Task, error) {
	return once[Task](ctx, c, key, request{method: http.MethodPost, path: "/api/tasks", body: r})
}

// Task gives one task.
func (c *Client) Task(ctx context.Context, id string) (Task, error) {
	return get[Task](ctx, c, taskPath(id), nil)
}

// How long one request waits for a task's end, and for a later attempt, of
// which the master does not tell by itself.
const (
	waitStep    = 30 * time.Second
	attemptStep = 500 * time.Millisecond
)

// WaitTask returns when the task is terminal. It outlasts a restart of the
// master that is no longer than the client's patience.
func (c *Client) WaitTask(ctx context.Context, id string) (Task, error) {
	return c.wait(ctx, id, waitStep, Task.Terminal)
}

// WaitAttempt returns when the task is terminal or has come to a later attempt
// than the given one. It is as patient as WaitTask.
func (c *Client) WaitAttempt(ctx context.Context, id string, attempt int) (Task, error) {
	return c.wait(ctx, id, attemptStep, func(t Task) bool { return t.Terminal() || t.Attempt > attempt })
}

func (c *Client) wait(ctx context.Context, id string, step time.Duration, enough func(Task) bool) (Task, error) {
	patience := c.newPatience()
	for {
		t, err := get[Task](ctx, c, taskPath(id), url.Values{"wait": {step.String()}})
		switch {
		case err == nil && enough(t):
			return t, nil
		case err == nil:
			patience.alive()
		default:
			if err := patience.again(ctx, err); err != nil {
				return t, err
			}
		}
	}
}

// Cancel asks for the task to be stopped. Repeating it changes nothing; on a
// finished task it is a conflict.
func (c *Client) Cancel(ctx context.Context, id string) (Task, error) {
	return call[Task](ctx, c, request{method: http.MethodDelete, path: taskPath(id)})
}

// Retry submits the spec of a finished task anew, as a task of the caller's;
// while it is not finished that is a conflict. It is sent again as Submit is.
func (c *Client) Retry(ctx context.Context, id string) (Task, error) {
	return c.RetryOnce(ctx, NewKey(), id)
}

// RetryOnce is Retry under the caller's key, as SubmitOnce.
func (c *Client) RetryOnce(ctx context.Context, key, id string) (Task, error) {
	return once[Task](ctx, c, key, request{method: http.MethodPost, path: taskPath(id) + "/retry"})
}

// Edit changes a task that waits; afterwards it is a conflict.
func (c *Client) Edit(ctx context.Context, id string, change TaskChange) (Task, error) {
	return call[Task](ctx, c, request{method: http.MethodPatch, path: taskPath(id), body: change})
}

// TaskMetrics gives what the container of an attempt used over its time;
// attempt 0 is the newest.
func (c *Client) TaskMetrics(ctx context.Context, id string, attempt int) (TaskMetrics, error) {
	query := url.Values{}
	if attempt > 0 {
		query.Set("attempt", strconv.Itoa(attempt))
	}
	return get[TaskMetrics](ctx, c, taskPath(id)+"/metrics", query)
}

// TaskQuery narrows a list; zero fields do not narrow.
type TaskQuery struct {
	Status   []string // any of them
	WorkerID string
	UserID   string
	Name     string // prefix
	Labels   map[string]string
	Failure  string
	Since    time.Time
	Until    time.Time
	Text     string // contained in name, image, command or id
	Sort     string // -created_at (when empty), created_at, name or -name; of lists only
}

func (q TaskQuery) values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("status", strings.Join(q.Status, ","))
	set("worker_id", q.WorkerID)
	set("user_id", q.UserID)
	set("name", q.Name)
	set("failure", q.Failure)
	set("q", q.Text)
	set("sort", q.Sort)
	for name, value := range q.Labels {
		v.Add("label", name+"="+value)
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if !q.Until.IsZero() {
		v.Set("until", q.Until.UTC().Format(time.RFC3339Nano))
	}
	return v
}

// TaskPage gives one page. As the query sorts it; an empty cursor is the beginning;
// limit 0 is the master's default.
func (c *Client) TaskPage(ctx context.Context, q TaskQuery, limit int, cursor string) (List[Task], error) {
	return page[Task](ctx, c, "/api/tasks", q.values(), limit, cursor)
}

// Tasks gives all tasks that the query takes, newest first, page by page. It
// ends after the first error.
func (c *Client) Tasks(ctx context.Context, q TaskQuery) iter.Seq2[Task, error] {
	return all[Task](ctx, c, "/api/tasks", q.values())
}

// TaskIDs gives up to limit ids that begin with the prefix.
func (c *Client) TaskIDs(ctx context.Context, prefix string, limit int) ([]string, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if prefix != "" {
		query.Set("prefix", prefix)
	}
	list, err := get[List[string]](ctx, c, "/api/task-ids", query)
	return list.Items, err
}

// Events gives the task's timeline, oldest first.
func (c *Client) Events(ctx context.Context, id string) iter.Seq2[Event, error] {
	return all[Event](ctx, c, taskPath(id)+"/events", url.Values{})
}

func taskPath(id string) string { return "/api/tasks/" + url.PathEscape(id) }

func page[T any](ctx context.Context, c *Client, path string, query url.Values, limit int, cursor string) (List[T], error) {
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return get[List[T]](ctx, c, path, query)
}

// pageLimit is the size of the pages behind an iterator.
const pageLimit = 500

func all[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		cursor := ""
		for {
			list, err := page[T](ctx, c, path, query, pageLimit, cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range list.Items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = list.NextCursor; cursor == "" {
				return
			}
		}
	}
}
