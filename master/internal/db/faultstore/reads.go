package faultstore

import (
	"context"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Task implements db.Tasks.
func (s *Store) Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error) {
	return read(s, "Task", func() (cluster.Task, error) { return s.inner.Task(ctx, id) })
}

// ActiveTasks implements db.Tasks; a fault comes before the first task.
func (s *Store) ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error {
	_, err := read(s, "ActiveTasks", func() (struct{}, error) { return struct{}{}, s.inner.ActiveTasks(ctx, yield) })
	return err
}

// ListTasks implements db.Tasks.
func (s *Store) ListTasks(ctx context.Context, filter cluster.TaskFilter, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	return page(s, "ListTasks", func() ([]cluster.Task, cluster.Cursor, error) { return s.inner.ListTasks(ctx, filter, p) })
}

// CountTasks implements db.Tasks.
func (s *Store) CountTasks(ctx context.Context, filter cluster.TaskFilter) (map[cluster.Status]int, error) {
	return read(s, "CountTasks", func() (map[cluster.Status]int, error) { return s.inner.CountTasks(ctx, filter) })
}

// TasksWithPrefix implements db.Tasks.
func (s *Store) TasksWithPrefix(ctx context.Context, prefix string, user cluster.UserID, limit int) ([]cluster.TaskID, error) {
	return read(s, "TasksWithPrefix", func() ([]cluster.TaskID, error) { return s.inner.TasksWithPrefix(ctx, prefix, user, limit) })
}

// WorkerAttempts implements db.Tasks.
func (s *Store) WorkerAttempts(ctx context.Context, worker cluster.WorkerID, p cluster.Page) ([]db.Assignment, cluster.Cursor, error) {
	return page(s, "WorkerAttempts", func() ([]db.Assignment, cluster.Cursor, error) { return s.inner.WorkerAttempts(ctx, worker, p) })
}

// TaskResults implements db.Tasks.
func (s *Store) TaskResults(ctx context.Context, id cluster.TaskID) ([]db.Result, error) {
	return read(s, "TaskResults", func() ([]db.Result, error) { return s.inner.TaskResults(ctx, id) })
}

// ListWorkers implements db.Workers.
func (s *Store) ListWorkers(ctx context.Context) ([]cluster.Worker, error) {
	return read(s, "ListWorkers", func() ([]cluster.Worker, error) { return s.inner.ListWorkers(ctx) })
}

// TaskFiles implements db.Files.
func (s *Store) TaskFiles(ctx context.Context, id cluster.TaskID) ([]cluster.File, error) {
	return read(s, "TaskFiles", func() ([]cluster.File, error) { return s.inner.TaskFiles(ctx, id) })
}

// ListFiles implements db.Files.
func (s *Store) ListFiles(ctx context.Context, user cluster.UserID, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	return page(s, "ListFiles", func() ([]cluster.Task, cluster.Cursor, error) { return s.inner.ListFiles(ctx, user, p) })
}

// UserByID implements db.Users.
func (s *Store) UserByID(ctx context.Context, id cluster.UserID) (cluster.User, error) {
	return read(s, "UserByID", func() (cluster.User, error) { return s.inner.UserByID(ctx, id) })
}

// UserByEmail implements db.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (cluster.User, error) {
	return read(s, "UserByEmail", func() (cluster.User, error) { return s.inner.UserByEmail(ctx, email) })
}

// ListUsers implements db.Users.
func (s *Store) ListUsers(ctx context.Context) ([]cluster.User, error) {
	return read(s, "ListUsers", func() ([]cluster.User, error) { return s.inner.ListUsers(ctx) })
}

// CountUsers implements db.Users.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	return read(s, "CountUsers", func() (int, error) { return s.inner.CountUsers(ctx) })
}

// TokenByHash implements db.Tokens.
func (s *Store) TokenByHash(ctx context.Context, hash string) (cluster.APIToken, error) {
	return read(s, "TokenByHash", func() (cluster.APIToken, error) { return s.inner.TokenByHash(ctx, hash) })
}

// ListTokens implements db.Tokens.
func (s *Store) ListTokens(ctx context.Context, user cluster.UserID) ([]cluster.APIToken, error) {
	return read(s, "ListTokens", func() ([]cluster.APIToken, error) { return s.inner.ListTokens(ctx, user) })
}

// Key implements db.Keys.
func (s *Store) Key(ctx context.Context, name db.KeyName) (db.Key, error) {
	return read(s, "Key", func() (db.Key, error) { return s.inner.Key(ctx, name) })
}

// ListAudit implements db.Audit.
func (s *Store) ListAudit(ctx context.Context, filter cluster.AuditFilter, below int64, limit int) ([]cluster.AuditEntry, error) {
	return read(s, "ListAudit", func() ([]cluster.AuditEntry, error) { return s.inner.ListAudit(ctx, filter, below, limit) })
}

// AgedAudit implements db.Audit.
func (s *Store) AgedAudit(ctx context.Context, before time.Time) (first, last int64, err error) {
	first, err = read(s, "AgedAudit", func() (int64, error) {
		var err error
		first, last, err = s.inner.AgedAudit(ctx, before)
		return first, err
	})
	return first, last, err
}
