package metrics

import (
	"context"
	"time"

	"cloudai/master/internal/db"
)

// timed is a store whose durable writes of tasks are measured.
type timed struct {
	db.Store
	m *Metrics
}

// Store measures the writes of another one.
func (m *Metrics) Store(s db.Store) db.Store { return &timed{s, m} }

// Commit implements db.Tasks.
func (t *timed) Commit(ctx context.Context, writes []db.Write) []error {
	start := time.Now()
	errs := t.Store.Commit(ctx, writes)
	t.m.took(start, errs)
	return errs
}

// DeleteTasks implements db.Tasks.
func (t *timed) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	start := time.Now()
	errs := t.Store.DeleteTasks(ctx, rows)
	t.m.took(start, errs)
	return errs
}

func (m *Metrics) took(start time.Time, errs []error) {
	m.commit.Observe(time.Since(start).Seconds())
	for _, err := range errs {
		if err != nil {
			m.refused.Inc()
		}
	}
}
