package workerconn

import (
	"errors"

	"cloudai/master/internal/cluster"
)

// Order is one attempt's assignment on its way to a worker.
type Order struct {
	Ref      cluster.AttemptRef
	UserID   cluster.UserID
	Spec     cluster.Spec
	LogLimit int64 // bytes
}

// Hello is a worker's answer to being called.
type Hello struct {
	WorkerID cluster.WorkerID
	Session  string
	Version  string
}

// What a failed call is known to mean; after all other errors the outcome is
// unknown.
var (
	// ErrRefused: the worker definitely did not take the assignment.
	ErrRefused = errors.New("worker refused")
	// ErrConnRefused: nothing listens at the address.
	ErrConnRefused = errors.New("connection refused")
	// ErrNoAttempt: the worker has no such attempt.
	ErrNoAttempt = errors.New("worker has no such attempt")
)
