// Package faultstore wraps any store and lets chosen calls fail as stores do:
// nothing happened, or nobody knows what happened. It must not keep anything of
// its own but the count of calls.
package faultstore

import (
	"context"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Call is one call of a method, as a Script sees it before it is made.
type Call struct {
	N      int    // from 1, over all methods
	Method string // of db.Store: "Commit", "Task", ...
	Write  bool   // it changes something
}

// Fault is how a call fails; the zero Fault lets it through.
type Fault struct {
	// Err is the answer: db.ErrUnavailable, db.ErrFull, db.ErrOutcomeUnknown.
	Err error
	// Done tells how many of the call's writes are carried out all the same,
	// from the first on; All of them when it is negative. Other calls than
	// Commit are one write.
	Done int
}

// The usual faults.
var (
	// Refused: nothing happened, and the caller knows it.
	Refused = Fault{Err: db.ErrUnavailable}
	// Full: the same for want of space.
	Full = Fault{Err: db.ErrFull}
	// UnknownLost: the caller does not know that nothing happened.
	UnknownLost = Fault{Err: db.ErrOutcomeUnknown}
	// UnknownDone: the caller does not know that everything happened.
	UnknownDone = Fault{Err: db.ErrOutcomeUnknown, Done: -1}
)

// Script decides about each call. It is called under a lock, in order.
type Script func(Call) Fault

// Store is a db.Store with faults.
type Store struct {
	inner  db.Store
	mu     sync.Mutex
	calls  int
	script Script
}

var _ db.Store = (*Store)(nil)

// New wraps a store; nothing fails until a script says so.
func New(inner db.Store) *Store { return &Store{inner: inner} }

// Use replaces the script; nil: nothing fails.
func (s *Store) Use(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// FailAt lets the n-th call from now fail, 1 being the next; one that reads
// fails without touching anything.
func (s *Store) FailAt(n int, f Fault) { s.failAt(n, f, func(Call) bool { return true }) }

// FailWriteAt lets the n-th call from now that changes something fail.
func (s *Store) FailWriteAt(n int, f Fault) {
	s.failAt(n, f, func(c Call) bool { return c.Write })
}

func (s *Store) failAt(n int, f Fault, counts func(Call) bool) {
	s.Use(func(c Call) Fault {
		if counts(c) {
			n--
			if n == 0 {
				return f
			}
		}
		return Fault{}
	})
}

// Calls is the number of calls so far.
func (s *Store) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// next counts a call and asks the script.
func (s *Store) next(method string, write bool) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.script == nil {
		return Fault{}
	}
	return s.script(Call{N: s.calls, Method: method, Write: write})
}

// Commit implements db.Tasks.
func (s *Store) Commit(ctx context.Context, writes []db.Write) []error {
	f := s.next("Commit", true)
	if f.Err == nil {
		return s.inner.Commit(ctx, writes)
	}
	done := f.Done
	if done < 0 || done > len(writes) {
		done = len(writes)
	}
	if done > 0 {
		s.inner.Commit(ctx, writes[:done])
	}
	errs := make([]error, len(writes))
	for i := range errs {
		errs[i] = f.Err
	}
	return errs
}

// DeleteTasks implements db.Tasks.
func (s *Store) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	f := s.next("DeleteTasks", true)
	if f.Err == nil {
		return s.inner.DeleteTasks(ctx, rows)
	}
	done := f.Done
	if done < 0 || done > len(rows) {
		done = len(rows)
	}
	if done > 0 {
		s.inner.DeleteTasks(ctx, rows[:done])
	}
	errs := make([]error, len(rows))
	for i := range errs {
		errs[i] = f.Err
	}
	return errs
}

// write makes a call that changes something, or lets it fail.
func (s *Store) write(method string, call func() error) error {
	f := s.next(method, true)
	if f.Err == nil {
		return call()
	}
	if f.Done != 0 {
		_ = call() // its caller shall not know
	}
	return f.Err
}

// change is write for a call that gives a value too.
func change[T any](s *Store, method string, call func() (T, error)) (value T, err error) {
	err = s.write(method, func() error {
		var err error
		value, err = call()
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return value, nil
}

// read makes a call that only reads, or lets it fail.
func read[T any](s *Store, method string, call func() (T, error)) (T, error) {
	if f := s.next(method, false); f.Err != nil {
		var none T
		return none, f.Err
	}
	return call()
}

// page is read for a call that gives a cursor too.
func page[T any](s *Store, method string, call func() ([]T, cluster.Cursor, error)) (list []T, next cluster.Cursor, err error) {
	list, err = read(s, method, func() ([]T, error) {
		var err error
		list, next, err = call()
		return list, err
	})
	return list, next, err
}

// PutWorker implements db.Workers.
func (s *Store) PutWorker(ctx context.Context, w cluster.Worker) error {
	return s.write("PutWorker", func() error { return s.inner.PutWorker(ctx, w) })
}

// DeleteWorker implements db.Workers.
func (s *Store) DeleteWorker(ctx context.Context, id cluster.WorkerID) error {
	return s.write("DeleteWorker", func() error { return s.inner.DeleteWorker(ctx, id) })
}

// PutUser implements db.Users.
func (s *Store) PutUser(ctx context.Context, u cluster.User) error {
	return s.write("PutUser", func() error { return s.inner.PutUser(ctx, u) })
}

// DeleteUser implements db.Users.
func (s *Store) DeleteUser(ctx context.Context, id cluster.UserID) error {
	return s.write("DeleteUser", func() error { return s.inner.DeleteUser(ctx, id) })
}

// PutToken implements db.Tokens.
func (s *Store) PutToken(ctx context.Context, t cluster.APIToken) error {
	return s.write("PutToken", func() error { return s.inner.PutToken(ctx, t) })
}

// DeleteToken implements db.Tokens.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.write("DeleteToken", func() error { return s.inner.DeleteToken(ctx, id) })
}

// EndSession implements db.Tokens.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	return s.write("EndSession", func() error { return s.inner.EndSession(ctx, id, until) })
}

// EndedSessions implements db.Tokens; it is a write, since it forgets.
func (s *Store) EndedSessions(ctx context.Context, now time.Time) (map[string]time.Time, error) {
	return change(s, "EndedSessions", func() (map[string]time.Time, error) { return s.inner.EndedSessions(ctx, now) })
}

// AppendAudit implements db.Audit.
func (s *Store) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	return s.write("AppendAudit", func() error { return s.inner.AppendAudit(ctx, entries) })
}

// RemoveAudit implements db.Audit.
func (s *Store) RemoveAudit(ctx context.Context, last int64, limit int) (int, error) {
	return change(s, "RemoveAudit", func() (int, error) { return s.inner.RemoveAudit(ctx, last, limit) })
}

// MetaOnce implements db.Meta.
func (s *Store) MetaOnce(ctx context.Context, name, value string) (string, error) {
	return change(s, "MetaOnce", func() (string, error) { return s.inner.MetaOnce(ctx, name, value) })
}

// PutKey implements db.Keys.
func (s *Store) PutKey(ctx context.Context, k db.Key) error {
	return s.write("PutKey", func() error { return s.inner.PutKey(ctx, k) })
}

// ForgetKeys implements db.Keys.
func (s *Store) ForgetKeys(ctx context.Context, now time.Time, limit int) (int, error) {
	return change(s, "ForgetKeys", func() (int, error) { return s.inner.ForgetKeys(ctx, now, limit) })
}

// Close implements db.Store; it never fails by script.
func (s *Store) Close() error { return s.inner.Close() }
