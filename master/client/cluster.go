package client

import (
	"context"
	"iter"
	"net/url"
)

// Workers gives all workers by id.
func (c *Client) Workers(ctx context.Context) iter.Seq2[Worker, error] {
	return all[Worker](ctx, c, "/api/workers", url.Values{})
}

// Worker gives one worker.
func (c *Client) Worker(ctx context.Context, id string) (Worker, error) {
	return get[Worker](ctx, c, "/api/workers/"+url.PathEscape(id), nil)
}

// Cluster gives counts, capacity and queue.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	return get[Cluster](ctx, c, "/api/cluster", nil)
}

// Telemetry gives the latest use of every worker, by its id.
func (c *Client) Telemetry(ctx context.Context) (map[string]Telemetry, error) {
	return get[map[string]Telemetry](ctx, c, "/telemetry", nil)
}

// Version says what the master is.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return get[Version](ctx, c, "/version", nil)
}

// Health is nil when the master serves.
func (c *Client) Health(ctx context.Context) error {
	_, err := get[Health](ctx, c, "/health", nil)
	return err
}

// Ready is nil when tasks can be accepted.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[Health](ctx, c, "/ready", nil)
	return err
}
