package http

import (
	"context"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// Core is what the edge asks of the coordinator. Methods are safe for
// concurrent use, return copies, and decide what the principal may see:
// another's task is cluster.ErrNotFound. Errors wrap cluster's sentinels.
type Core interface {
	Submit(context.Context, cluster.Principal, cluster.TaskRequest) (coordinator.TaskView, error)
	Task(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)
	// WaitTask returns when the task is terminal, or with its present view
	// when the context's deadline passes.
	WaitTask(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)
	Tasks(context.Context, cluster.Principal, cluster.TaskFilter, cluster.Page) ([]coordinator.TaskView, cluster.Cursor, error)
	TasksWithPrefix(ctx context.Context, p cluster.Principal, prefix string, limit int) ([]cluster.TaskID, error)
	Cancel(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, error)

	Workers(context.Context, cluster.Principal) ([]coordinator.WorkerView, error) // by id
	Worker(context.Context, cluster.Principal, cluster.WorkerID) (coordinator.WorkerView, error)
	Cluster(context.Context, cluster.Principal) (coordinator.ClusterView, error)

	TaskFiles(context.Context, cluster.Principal, cluster.TaskID) (coordinator.TaskView, []cluster.File, error)
	FilesOf(context.Context, cluster.Principal, cluster.Page) ([]cluster.Task, cluster.Cursor, error)
	DeleteFiles(context.Context, cluster.Principal, cluster.TaskID) error

	// Ready is nil when tasks can be accepted.
	Ready(context.Context) error
}
