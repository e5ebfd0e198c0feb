package coordinator

import (
	"context"
	"time"

	"cloudai/master/internal/cluster"
)

// What the ports below pass on; declared in cluster, so that those who
// implement a port need not know its consumer.
type (
	Target   = cluster.Target
	LogEnd   = cluster.LogEnd
	Manifest = cluster.Manifest
	Order    = cluster.Order
	Hello    = cluster.Hello
)

// WorkerClient calls workers over one long-lived connection each, made at the
// first call to a target and replaced when the target changes. Calls are safe
// for concurrent use; those about one task reach the worker in the order in
// which they were made. Contexts bound each call. Implemented by workerconn.
type WorkerClient interface {
	// Hello calls MasterRegister. cluster.ErrConnRefused when nothing listens
	// there, cluster.ErrOtherCertificate when somebody else does.
	Hello(ctx context.Context, to Target) (Hello, error)
	// Introduce calls MasterRegister at host:port, whoever answers there, and has
	// it prove that it knows the join token. cluster.ErrConnRefused when nothing
	// listens there, cluster.ErrDenied without the proof.
	Introduce(ctx context.Context, worker cluster.WorkerID, address string) (Hello, error)
	// Assign calls AssignTask: nil, cluster.ErrRefused, or unknown.
	Assign(ctx context.Context, to Target, order Order) error
	// Cancel calls CancelTask: nil, cluster.ErrNoAttempt, or unknown.
	Cancel(ctx context.Context, to Target, ref cluster.AttemptRef) error
	// Forget closes the connection to a worker that was removed or lost.
	Forget(worker cluster.WorkerID)
}

// LogKeeper keeps the master's copy of each attempt's log. Safe for concurrent
// use. Implemented by logs.
type LogKeeper interface {
	// Follow begins (or goes on) to copy the log of a running attempt from its
	// worker in the background; it does not block. A second call for the same
	// attempt replaces the target. It ends with Finish, Abandon or a log that
	// is complete.
	Follow(ref cluster.AttemptRef, from Target)
	// Append adds chunks pushed by a worker. What is there already is skipped;
	// a hole is refused with cluster.ErrConflict.
	Append(ref cluster.AttemptRef, chunks []cluster.LogChunk) error
	// Offsets are how much of each stream the copy has.
	Offsets(ref cluster.AttemptRef) cluster.LogOffsets
	// Finish completes the copy from end and flushes it to the disk. need is
	// nil when it is complete and sealed; otherwise it says from where on the
	// worker must push. It waits a short while for a follower that moves.
	// A copy that an earlier end has completed goes on when this one is longer.
	Finish(ctx context.Context, ref cluster.AttemptRef, end LogEnd) (need *cluster.LogOffsets, err error)
	// Abandon ends the copy of an attempt that is lost with a marker that
	// names attempt, byte and reason, and seals it. Repeating it is a no-op.
	Abandon(ctx context.Context, ref cluster.AttemptRef, reason string) error
	// Abandoned reports whether Abandon has ended the copy, also in an earlier
	// life of the master.
	Abandoned(ref cluster.AttemptRef) bool
	// Size is the copy's length in bytes over all.
	Size(ref cluster.AttemptRef) int64
	// LogsRead reports whether a log of the task is being read now.
	LogsRead(task cluster.TaskID) bool
	// LogsSize is what the logs of all attempts of a task take of the disk, in
	// bytes.
	LogsSize(task cluster.TaskID) (int64, error)
	// RemoveLogs deletes all logs of a task; cluster.ErrConflict while one is
	// being read. Repeating it is a no-op.
	RemoveLogs(ctx context.Context, task cluster.TaskID) error
	// SweepLogs removes the logs of tasks that keeps denies.
	SweepLogs(ctx context.Context, keeps func(context.Context, cluster.TaskID) (bool, error)) error
}

// FileKeeper keeps output files. Safe for concurrent use. Implemented by
// storage.
type FileKeeper interface {
	// Publish verifies the staged files of the attempt against the manifest,
	// flushes them and renames them into the owner's folder at once. It gives
	// the rows with content types. It may be called again after a crash or a
	// failed commit. cluster.ErrConflict when staged and manifest differ (the
	// worker uploads again); cluster.ErrQuota when the disk is full.
	Publish(ctx context.Context, owner cluster.UserID, ref cluster.AttemptRef, m Manifest) ([]cluster.File, error)
	// Retract undoes Publish when nothing committed refers to the files.
	Retract(owner cluster.UserID, ref cluster.AttemptRef) error
	// Discard removes the staged files of an attempt that is over.
	Discard(ref cluster.AttemptRef) error
	// RemoveTask removes a task's published files; nil when there are none.
	RemoveTask(owner cluster.UserID, task cluster.TaskID) error
	// FilesRead reports whether files of the task are being read now.
	FilesRead(owner cluster.UserID, task cluster.TaskID) bool
	// RemoveUnread is RemoveTask; cluster.ErrConflict while files of the task
	// are being read.
	RemoveUnread(owner cluster.UserID, task cluster.TaskID) error
	// Sweep puts the disk in order at the master's start: staging of attempts
	// that live() denies is removed; a published folder without a committed
	// result (committed() false) is retracted to the staging of its live
	// attempt, or removed. committed() also says how many bytes the files have.
	Sweep(ctx context.Context, live func(cluster.TaskID) (cluster.Placed, bool), committed func(context.Context, cluster.TaskID) (int64, bool, error)) error
	// Use is what a user's files take and may take, known once Sweep has
	// returned: those published and those being uploaded.
	Use(owner cluster.UserID) cluster.FileUse
}

// Clock gives the time; its monotonic reading drives deadlines.
type Clock func() time.Time
