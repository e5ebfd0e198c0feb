package http

import (
	"context"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
	"cloudai/master/internal/retention"
)

// Core is what the edge asks of the coordinator. Methods are safe for
// concurrent use, return copies, and decide what the principal may see:
// another's task is cluster.ErrNotFound. Errors wrap cluster's sentinels.
type Core interface {
	Submit(context.Context, cluster.Principal, cluster.TaskRequest, coordinator.Once) (coordinator.Created, error)
	// SubmitBatch stores many tasks; kept is the reply to the first request with
	// the key, or nil.
	SubmitBatch(ctx context.Context, p cluster.Principal, entries []coordinator.BatchEntry, atomic bool,
		once coordinator.Named[[]coordinator.BatchItem]) (items []coordinator.BatchItem, kept []byte, err error)
	// CancelTasks stops many tasks; kept as above.
	CancelTasks(ctx context.Context, p cluster.Principal, r coordinator.CancelRequest,
		once coordinator.Named[coordinator.CancelReport]) (report coordinator.CancelReport, kept []byte, err error)
	Task(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)
	// WaitTask returns when the task is terminal, or with its present view
	// when the context's deadline passes.
	WaitTask(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)
	Tasks(context.Context, cluster.Principal, cluster.TaskFilter, cluster.Page) ([]coordinator.TaskView, cluster.Cursor, error)
	TasksWithPrefix(ctx context.Context, p cluster.Principal, prefix string, limit int) ([]cluster.TaskID, error)
	Cancel(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)
	// EditTask changes a waiting task; version 0 is whatever it has.
	EditTask(ctx context.Context, p cluster.Principal, id cluster.TaskID, change cluster.TaskChange, version int64) (coordinator.TaskView, error)
	Retry(context.Context, cluster.Principal, cluster.TaskID, coordinator.Once) (coordinator.Created, error)
	// TaskUsage gives what an attempt's container used; 0 is the newest.
	TaskUsage(ctx context.Context, p cluster.Principal, id cluster.TaskID, attempt int) (coordinator.UsageView, error)

	Workers(context.Context, cluster.Principal) ([]coordinator.WorkerView, error) // by id
	Worker(context.Context, cluster.Principal, cluster.WorkerID) (coordinator.WorkerView, error)
	WorkerTasks(context.Context, cluster.Principal, cluster.WorkerID, cluster.TaskFilter, cluster.Page) ([]coordinator.TaskView, cluster.Cursor, error)
	WorkerHistory(context.Context, cluster.Principal, cluster.WorkerID) (cluster.Worker, []cluster.Sample, error)
	// WatchWorkers gives a snapshot and what changes after it; the caller
	// closes the subscription.
	WatchWorkers(context.Context, cluster.Principal) ([]coordinator.WorkerView, *events.Subscription[coordinator.Event])
	// WatchTasks gives the newest tasks, at most limit, and what changes after
	// that; the caller closes the subscription. Its first events may be older
	// than what was given.
	WatchTasks(ctx context.Context, p cluster.Principal, limit int) ([]coordinator.TaskView, *events.Subscription[coordinator.Event], error)
	// Newest gives changed tasks as they are now, but for those that the
	// principal may not see.
	Newest(p cluster.Principal, changed []cluster.Task) []coordinator.TaskView
	RegisterWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, address string) (coordinator.WorkerView, error)
	RemoveWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, force bool) error
	Drain(ctx context.Context, p cluster.Principal, id cluster.WorkerID, on bool) (coordinator.WorkerView, error)
	Cluster(context.Context, cluster.Principal) (coordinator.ClusterView, error)

	TaskFiles(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, []cluster.File, error)
	FilesOf(context.Context, cluster.Principal, cluster.Page) ([]cluster.Task, cluster.Cursor, error)
	DeleteFiles(context.Context, cluster.Principal, cluster.TaskID) error
	// FileUse is what a user's files take and may take.
	FileUse(p cluster.Principal, user cluster.UserID) (cluster.FileUse, error)

	// Prune removes what the policy does not keep of finished tasks, or only
	// counts it; nil: the master's own policy.
	Prune(ctx context.Context, p cluster.Principal, policy *retention.Policy, dry bool) (coordinator.PruneReport, error)

	// Ready is nil when tasks can be accepted.
	Ready(context.Context) error
	// Invariants is the last comparison of store, memory and heartbeats.
	Invariants() coordinator.InvariantReport
}
