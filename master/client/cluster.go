package client

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// Workers gives all workers by id.
func (c *Client) Workers(ctx context.Context) iter.Seq2[Worker, error] {
	return all[Worker](ctx, c, "/api/workers", url.Values{})
}

// Worker gives one worker.
func (c *Client) Worker(ctx context.Context, id string) (Worker, error) {
	return get[Worker](ctx, c, workerPath(id), nil)
}

// RegisterWorker has the master call a worker at host:port and take it in, also
// one that was removed before. The worker must know the join token.
func (c *Client) RegisterWorker(ctx context.Context, id, address string) (Worker, error) {
	return post[Worker](ctx, c, "/api/workers", WorkerRequest{WorkerID: id, Address: address})
}

// RemoveWorker takes a worker out and bars its id until it is registered
// again. With force also when it has tasks, which then run elsewhere; without
// that is a conflict.
func (c *Client) RemoveWorker(ctx context.Context, id string, force bool) error {
	query := url.Values{}
	if force {
		query.Set("force", "true")
	}
	return remove(ctx, c, workerPath(id), query)
}

// Drain lets a worker finish what it has and gives it nothing new.
func (c *Client) Drain(ctx context.Context, id string) (Worker, error) {
	return post[Worker](ctx, c, workerPath(id)+"/drain", nil)
}

// Undrain gives a drained worker tasks again.
func (c *Client) Undrain(ctx context.Context, id string) (Worker, error) {
	return post[Worker](ctx, c, workerPath(id)+"/undrain", nil)
}

// WorkerTasks gives the tasks whose present or last attempt is on the worker,
// newest first.
func (c *Client) WorkerTasks(ctx context.Context, id string) iter.Seq2[Task, error] {
	return all[Task](ctx, c, workerPath(id)+"/tasks", url.Values{})
}

// WorkerMetrics gives a worker's use over the last while.
func (c *Client) WorkerMetrics(ctx context.Context, id string) (WorkerMetrics, error) {
	return get[WorkerMetrics](ctx, c, workerPath(id)+"/metrics", nil)
}

// Join says how a worker on another machine joins. For administrators.
func (c *Client) Join(ctx context.Context) (Join, error) {
	return get[Join](ctx, c, "/api/cluster/join", nil)
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

// Health is what the master says of itself.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return get[Health](ctx, c, "/health", nil)
}

// Ready is nil when tasks can be accepted.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[Health](ctx, c, "/ready", nil)
	return err
}

func workerPath(id string) string { return "/api/workers/" + url.PathEscape(id) }

// ClusterMetrics gives what all workers together used, in steps; zero values
// take the master's defaults.
func (c *Client) ClusterMetrics(ctx context.Context, since time.Time, step time.Duration) (ClusterMetrics, error) {
	query := url.Values{}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if step > 0 {
		query.Set("step", step.String())
	}
	return get[ClusterMetrics](ctx, c, "/api/cluster/metrics", query)
}
