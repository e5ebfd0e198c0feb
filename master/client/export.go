package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// ExportedTask is one line of an export.
type ExportedTask struct {
	Task   Task    `json:"task"`
	Events []Event `json:"events" doc:"Oldest first."`
}

// Export writes all tasks that the query takes with their timelines, newest
// first, one JSON object (an ExportedTask) per line. It needs little memory.
// After an error what was written is not whole.
func (c *Client) Export(ctx context.Context, q TaskQuery, w io.Writer) error {
	return c.stream(ctx, request{method: http.MethodGet, path: "/api/export", query: q.values()}, w)
}

// ExportEvents writes a task's timeline, oldest first, one JSON object (an
// Event) per line.
func (c *Client) ExportEvents(ctx context.Context, id string, w io.Writer) error {
	return c.stream(ctx, request{
		method: http.MethodGet, path: taskPath(id) + "/events", header: http.Header{"Accept": {"application/x-ndjson"}},
	}, w)
}

// stream copies an answer as it comes.
func (c *Client) stream(ctx context.Context, r request, w io.Writer) error {
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &UnreachableError{Where: c.where, Err: fmt.Errorf("the stream broke off: %w", err)}
	}
	return nil
}
