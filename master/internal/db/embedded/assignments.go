package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

func putAssignment(s *session, a *db.Assignment) error {
	_, err := s.exec(`INSERT OR REPLACE INTO assignments (task_id, attempt, lease, worker_id, assigned_at, sum) VALUES (?, ?, ?, ?, ?, ?)`,
		string(a.Ref.TaskID), a.Ref.Attempt, a.Ref.Lease, string(a.WorkerID), document.Nanos(a.AssignedAt), document.AssignmentSum(a))
	return err
}

// WorkerAttempts implements db.Tasks.
func (s *Store) WorkerAttempts(ctx context.Context, worker cluster.WorkerID, page cluster.Page) ([]db.Assignment, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	c := &condition{}
	c.add("worker_id = ?", string(worker))
	if !page.After.IsZero() {
		task, attempt, err := splitAttempt(page.After.ID)
		if err != nil {
			return nil, cluster.Cursor{}, err
		}
		at := c.arg(document.Nanos(page.After.CreatedAt))
		c.terms = append(c.terms, "assigned_at <= "+at,
			"(assigned_at < "+at+" OR (task_id, attempt) > ("+c.arg(task)+", "+c.arg(attempt)+"))")
	}
	query := "SELECT " + assignmentColumns + " FROM assignments WHERE " + c.where("true") +
		" ORDER BY assigned_at DESC, task_id, attempt LIMIT " + c.arg(page.Limit+1)
	var list []db.Assignment
	err := s.query(ctx, query, c.args, func(rows *sql.Rows) error {
		a, err := scanAssignment(rows)
		list = append(list, a)
		return err
	})
	if err != nil || len(list) <= page.Limit {
		return list, cluster.Cursor{}, err
	}
	last := list[page.Limit-1]
	return list[:page.Limit], cluster.Cursor{CreatedAt: last.AssignedAt, ID: joinAttempt(last.Ref)}, nil
}

// joinAttempt names an attempt in a cursor.
func joinAttempt(ref cluster.AttemptRef) string {
	return string(ref.TaskID) + "/" + strconv.Itoa(ref.Attempt)
}

// splitAttempt is the reverse of joinAttempt.
func splitAttempt(id string) (task string, attempt int, err error) {
	cut := strings.LastIndexByte(id, '/')
	if cut >= 0 {
		if attempt, err = strconv.Atoi(id[cut+1:]); err == nil {
			return id[:cut], attempt, nil
		}
	}
	return "", 0, fmt.Errorf("%w: cursor %q is not of this list", cluster.ErrInvalid, id)
}
