package db

import (
	"context"
	"errors"
	"time"

	"cloudai/master/internal/cluster"
)

// Errors about a store that takes over what another one holds.
var (
	// ErrNotEmpty: the store holds something already.
	ErrNotEmpty = errors.New("store is not empty")
	// ErrHalfFilled: the store was being filled from another one, and that did
	// not come to its end.
	ErrHalfFilled = errors.New("store is half filled")
)

// FillingName is under what a store keeps, beside its meta values, that it is
// being filled.
const FillingName = "being_filled"

// Portable is a store whose whole content can move to another one, whatever
// either is made of. One goroutine uses these methods, and nobody else writes
// meanwhile.
type Portable interface {
	Store
	// Dump calls yield for each record: first meta values, users, tokens, ended
	// sign-ins, workers, the audit log and keys of no task, then tasks, each kind in ascending order of its
	// key. It stops at the first error, which it returns. Rows of a task that is not
	// there are left out.
	Dump(ctx context.Context, yield func(Record) error) error
	// Fill makes the store ready for Load and removes what an earlier filling
	// left that was not Filled. Until Filled the store is opened by nobody but
	// who means to fill it. ErrNotEmpty when it holds anything else; nothing is
	// changed then.
	Fill(ctx context.Context) error
	// Load stores records, durably, as they are. Each comes once.
	Load(ctx context.Context, records []Record) error
	// Filled says that all records are there: from now on it is a store like any
	// other.
	Filled(ctx context.Context) error
}

// Record is one row with all that belongs to it. One field is set.
type Record struct {
	Meta   *MetaValue          `json:",omitempty"`
	User   *cluster.User       `json:",omitempty"`
	Token  *cluster.APIToken   `json:",omitempty"`
	Ended  *EndedSession       `json:",omitempty"`
	Worker *cluster.Worker     `json:",omitempty"`
	Audit  *cluster.AuditEntry `json:",omitempty"`
	Key    *Key                `json:",omitempty"` // of a request that has changed no task
	Task   *TaskRecord         `json:",omitempty"`
}

// MetaValue is a named value of the cluster.
type MetaValue struct {
	Name  string
	Value string
}

// EndedSession is a sign-in that is over although it would be valid until then.
type EndedSession struct {
	ID    string
	Until time.Time
}

// TaskRecord is a task and every row that was written with it.
type TaskRecord struct {
	Task        cluster.Task
	Assignments []Assignment  // by attempt
	Results     []Result      // by attempt
	Files       []PublishedAt // by attempt
	Keys        []Key         // by name
}

// PublishedAt is the file rows of one attempt, by path.
type PublishedAt struct {
	Attempt int
	Files   []cluster.File
}
