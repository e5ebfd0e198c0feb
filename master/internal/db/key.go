package db

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

// KeyName is under what a key is stored: a user's own name for a request, apart
// for each route.
type KeyName struct {
	UserID cluster.UserID
	Route  string
	Key    string
}

// Key says that a request has taken effect, and what was replied, so that a
// repeat of it can be told from a new one. It outlives what it made.
type Key struct {
	Name      KeyName
	Print     string         // equal for equal requests
	TaskID    cluster.TaskID // of the write that stored it; empty: the request has changed no task
	Reply     []byte         // as it was sent; of some routes, what is left to do
	StoredAt  time.Time
	ExpiresAt time.Time // from then on the name is free again
}

// Check reports what is wrong with a key that PutKey is given. It is a
// cluster.ErrInvalid.
func (k Key) Check() error {
	switch {
	case k.TaskID != "":
		return fmt.Errorf("%w: key of task %s without a write of it", cluster.ErrInvalid, k.TaskID)
	case !k.counts():
		return fmt.Errorf("%w: a key without a name, or that never counts", cluster.ErrInvalid)
	}
	return nil
}

func (k Key) counts() bool { return k.Name.Key != "" && k.ExpiresAt.After(k.StoredAt) }

// KeyTakenError is an ErrKeyTaken with the task of the earlier write; none when
// that changed no task.
type KeyTakenError struct {
	TaskID cluster.TaskID
}

// Error names the earlier task.
func (e *KeyTakenError) Error() string {
	if e.TaskID == "" {
		return ErrKeyTaken.Error()
	}
	return fmt.Sprintf("%v: by task %s", ErrKeyTaken, e.TaskID)
}

// Unwrap makes errors.Is(err, ErrKeyTaken) hold.
func (e *KeyTakenError) Unwrap() error { return ErrKeyTaken }

// Keys are those that came with a Write, and those of requests that have changed
// no task. A key that expired at or before the StoredAt of a new one gives way to
// it; the store has no clock of its own.
type Keys interface {
	// PutKey stores a key that comes with no write of a task. Its errors are
	// those of Commit: a *KeyTakenError, or cluster.ErrInvalid from Key.Check.
	PutKey(ctx context.Context, k Key) error
	// Key finds one, also one that has expired and is not yet forgotten;
	// cluster.ErrNotFound.
	Key(ctx context.Context, name KeyName) (Key, error)
	// ForgetKeys removes up to limit keys that expired at now or before, the
	// earliest first, and gives how many these were.
	ForgetKeys(ctx context.Context, now time.Time, limit int) (int, error)
}
