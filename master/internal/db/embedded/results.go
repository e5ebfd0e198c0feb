package embedded

import (
	"context"
	"database/sql"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

func putResult(s *session, r *db.Result, doc []byte) error {
	_, err := s.exec(`INSERT OR REPLACE INTO results (task_id, attempt, sum, doc) VALUES (?, ?, ?, ?)`,
		string(r.Ref.TaskID), r.Ref.Attempt, document.Sum(string(r.Ref.TaskID), int64(r.Ref.Attempt), doc), doc)
	return err
}

// TaskResults implements db.Tasks.
func (s *Store) TaskResults(ctx context.Context, id cluster.TaskID) ([]db.Result, error) {
	var list []db.Result
	err := s.query(ctx, `SELECT attempt, sum, doc FROM results WHERE task_id = ? ORDER BY attempt`, []any{string(id)},
		func(rows *sql.Rows) error {
			var attempt, sum int64
			var doc sql.RawBytes
			if err := rows.Scan(&attempt, &sum, &doc); err != nil {
				return err
			}
			r, err := document.DecodeResult(string(id), attempt, sum, doc)
			list = append(list, r)
			return err
		})
	return list, err
}
