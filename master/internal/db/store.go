// Package db is the contract between the coordinator and whatever keeps its
// state on disk. It must not know how tasks move: it stores values that the
// core has decided, durably and with compare-and-set.
//
// db/embedded and db/mongodb implement it, db/storetest holds the one suite
// that both pass and the in-memory reference store, db/faultstore breaks the
// n-th call of any of them.
package db

import (
	"context"
	"errors"
	"time"

	"cloudai/master/internal/cluster"
)

// Errors of a store; wrapped with details. cluster.ErrNotFound stands for a
// row that is not there.
var (
	// ErrVersion: the row's version is not the expected one (or, for an
	// insert, the row is there already). Nothing of this write happened.
	ErrVersion = errors.New("version conflict")
	// ErrOutcomeUnknown: the write may or may not be on disk. Read back before
	// anything else is decided about the row.
	ErrOutcomeUnknown = errors.New("outcome of the write is unknown")
	// ErrKeyTaken: an earlier write has stored the same key, which has not run
	// out. Nothing of this write happened. It comes as a *KeyTakenError.
	ErrKeyTaken = errors.New("key is taken")
	// ErrUnavailable: the store does not answer now; nothing happened.
	ErrUnavailable = errors.New("store unavailable")
	// ErrFull: no space left; nothing happened.
	ErrFull = errors.New("store has no space left")
	// ErrLocked: another master uses the store.
	ErrLocked = errors.New("store is in use by another master")
	// ErrTooNew: the store was written by a newer version of the program.
	ErrTooNew = errors.New("store was written by a newer version")
	// ErrDamaged: what was read is not what was written; names file and place.
	ErrDamaged = errors.New("store is damaged")
)

// Store is all that the master keeps. Methods are safe for concurrent use.
// A cancelled context ends a read at once with the context's error. A write
// whose context ends before the store has taken it is refused (ErrUnavailable,
// nothing happened); one that the store has taken is carried out or refused as
// a whole, and its context only bounds how long the caller waits
// (ErrOutcomeUnknown when it gave up waiting). A nil error from a write means
// that it survives a power cut. After Close every call answers ErrUnavailable.
//
// What is read is what was written: nil and empty slices and maps stay apart,
// times from 1678 to 2261 keep their nanoseconds (others may be moved to the
// nearest of these years), the zero time stays zero. Strings are UTF-8 and may
// hold any character, NUL too.
type Store interface {
	Tasks
	Keys
	Workers
	Files
	Users
	Tokens
	Audit
	Meta
	// Close waits for writes under way, then releases the lock.
	Close() error
}

// Write is one task's new value. Task.Version is the new version, Expect the
// one that must be on disk (0: the row must not exist); Task.Version is
// Expect + 1. What else belongs to the change is written with it: all of it or
// nothing.
type Write struct {
	Task   cluster.Task
	Expect int64
	// Assignment is the placement that this write makes, if it makes one.
	Assignment *Assignment
	// Result is the end of an attempt that this write records, if it does.
	Result *Result
	// Files are the rows of the attempt Task.Files.Attempt that this write
	// publishes; they replace what was written for that attempt. nil: none are
	// published by this write.
	Files []cluster.File
	// Key is what the caller's request was named, if it was. A repeat of the
	// request finds it as long as this write counts.
	Key *Key
	// Audit is the entry that says who did it, if anybody. It stands in the audit
	// log if and only if the write counts.
	Audit *cluster.AuditEntry
}

// Assignment is one row of the placement history, keyed by task and attempt;
// writing it again replaces it.
type Assignment struct {
	Ref        cluster.AttemptRef
	WorkerID   cluster.WorkerID
	AssignedAt time.Time
}

// Result is one row of the history of ended attempts, keyed by task and
// attempt; writing it again replaces it.
type Result struct {
	Ref      cluster.AttemptRef
	WorkerID cluster.WorkerID
	Outcome  cluster.Outcome
	ExitCode *int
	Failure  cluster.Failure
	Message  string
	StoredAt time.Time
	Usage    cluster.Usage
	// Samples are what its container used over its time, oldest first.
	Samples []cluster.UsageSample
}

// TaskVersion names a task's row as its reader has seen it.
type TaskVersion struct {
	ID      cluster.TaskID
	Version int64
}

// Tasks keeps tasks with their attempts and events; one document is the unit.
type Tasks interface {
	// Commit carries out each write on its own and durably, in the order
	// given, and answers one error per write in the same order: nil,
	// ErrVersion, ErrKeyTaken, ErrFull, ErrUnavailable, ErrOutcomeUnknown, or a definite
	// failure of that item (cluster.ErrInvalid when Write.Check refuses it).
	// Concurrent calls share one transaction (group commit).
	Commit(ctx context.Context, writes []Write) []error
	// DeleteTasks removes tasks, each on its own and durably, in the order
	// given, with all that belongs to them: placements, results and rows of
	// files. It answers one error per row as Commit does: ErrVersion when the
	// task is not at that version, or not there; nothing of it is gone then.
	// Keys of requests outlive their tasks. A backend that has no one write for
	// all removes the task's row first; what it is left with counts for nothing,
	// and no method gives it.
	DeleteTasks(ctx context.Context, rows []TaskVersion) []error
	// Task reads one; cluster.ErrNotFound.
	Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error)
	// ActiveTasks calls yield for each task that is not terminal, oldest
	// first, ids ascending within one time, and stops at its first error,
	// which it returns. yield may call the store. It is not a snapshot: of
	// what changes meanwhile, either state may be seen.
	ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error
	// ListTasks gives a page in the page's order; next is the zero Cursor at the
	// end. Stable under inserts. A page has fewer than its Limit when they would
	// be larger than PageBytes together, and one at least. A Limit below 1 is
	// cluster.ErrInvalid.
	ListTasks(ctx context.Context, filter cluster.TaskFilter, page cluster.Page) (tasks []cluster.Task, next cluster.Cursor, err error)
	// CountTasks counts by status; every status is in the map.
	CountTasks(ctx context.Context, filter cluster.TaskFilter) (map[cluster.Status]int, error)
	// TasksWithPrefix gives up to limit ids that begin with the prefix, owned
	// by the user (empty: anyone), in ascending order.
	TasksWithPrefix(ctx context.Context, prefix string, user cluster.UserID, limit int) ([]cluster.TaskID, error)
	// WorkerAttempts gives a page of the attempts ever placed on a worker,
	// newest first, within one time by task and attempt.
	WorkerAttempts(ctx context.Context, worker cluster.WorkerID, page cluster.Page) ([]Assignment, cluster.Cursor, error)
	// TaskResults gives the ended attempts of a task by number; none of an
	// unknown task.
	TaskResults(ctx context.Context, id cluster.TaskID) ([]Result, error)
}

// Workers keeps registered workers; the last write wins, since the coordinator
// is the only writer.
type Workers interface {
	PutWorker(ctx context.Context, w cluster.Worker) error
	DeleteWorker(ctx context.Context, id cluster.WorkerID) error // nil when absent
	ListWorkers(ctx context.Context) ([]cluster.Worker, error)   // by id
}

// PageBytes bounds the tasks of one page, by their specs' sizes: a thousand of the
// largest would take a gigabyte.
const PageBytes = 4 << 20

// Files reads what Write.Files published.
type Files interface {
	// TaskFiles gives the rows that the task's present FilesSummary refers to,
	// by path; empty when it refers to none or they are deleted;
	// cluster.ErrNotFound without such a task.
	TaskFiles(ctx context.Context, id cluster.TaskID) ([]cluster.File, error)
	// ListFiles gives a page of the tasks for which ShowsFiles holds, in the
	// order of ListTasks; user empty: everyone's.
	ListFiles(ctx context.Context, user cluster.UserID, page cluster.Page) ([]cluster.Task, cluster.Cursor, error)
}

// Users keeps accounts.
type Users interface {
	// PutUser inserts or replaces by id; ErrVersion when another id has the
	// same email (compared by strings.ToLower).
	PutUser(ctx context.Context, u cluster.User) error
	// DeleteUser removes an account and its API tokens; nil when absent. A
	// token that is left for want of one write for both counts for nothing.
	DeleteUser(ctx context.Context, id cluster.UserID) error
	UserByID(ctx context.Context, id cluster.UserID) (cluster.User, error)
	UserByEmail(ctx context.Context, email string) (cluster.User, error)
	ListUsers(ctx context.Context) ([]cluster.User, error) // by creation, then id
	// CountUsers is how many accounts there are.
	CountUsers(ctx context.Context) (int, error)
}

// Tokens keeps what else identifies a caller.
type Tokens interface {
	// PutToken inserts or replaces by id; ErrVersion when another id has the
	// same hash.
	PutToken(ctx context.Context, t cluster.APIToken) error
	DeleteToken(ctx context.Context, id string) error // nil when absent
	// TokenByHash finds a token by its SecretHash; cluster.ErrNotFound.
	TokenByHash(ctx context.Context, hash string) (cluster.APIToken, error)
	// ListTokens gives a user's tokens by creation, then id.
	ListTokens(ctx context.Context, user cluster.UserID) ([]cluster.APIToken, error)
	// EndSession notes that a sign-in is over, although it would be valid until
	// then. Repeating it is a no-op.
	EndSession(ctx context.Context, id string, until time.Time) error
	// EndedSessions gives the sign-ins that EndSession named with an until after
	// now, by id; it forgets all others.
	EndedSessions(ctx context.Context, now time.Time) (map[string]time.Time, error)
}

// Meta keeps a few named values of the cluster, such as its id.
type Meta interface {
	// MetaOnce stores the value under the name unless there is one, and gives
	// the one that is there now.
	MetaOnce(ctx context.Context, name, value string) (string, error)
}
