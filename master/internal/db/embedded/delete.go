package embedded

import (
	"context"
	"fmt"

	"cloudai/master/internal/db"
)

// taskDelete is the end of one task's row and of all that belongs to it.
type taskDelete db.TaskVersion

// DeleteTasks implements db.Tasks.
func (s *Store) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	changes := make([]change, len(rows))
	for i, row := range rows {
		changes[i] = taskDelete(row)
	}
	return s.queue.ChangeAll(ctx, changes)
}

// apply implements change.
func (c taskDelete) apply(s *session) (answer, failure error) {
	n, err := s.exec(`DELETE FROM tasks WHERE id = ? AND version = ?`, string(c.ID), c.Version)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return fmt.Errorf("%w: task %s is not at version %d", db.ErrVersion, c.ID, c.Version), nil
	}
	for _, query := range []string{
		`DELETE FROM assignments WHERE task_id = ?`,
		`DELETE FROM results WHERE task_id = ?`,
		`DELETE FROM file_metadata WHERE task_id = ?`,
	} {
		if _, err := s.exec(query, string(c.ID)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
