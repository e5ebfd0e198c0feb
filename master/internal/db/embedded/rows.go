package embedded

import (
	"context"
	"database/sql"
	"errors"

	"cloudai/master/internal/db"
)

// checkRows says of every row that is not as it was written where it is. Reading
// it says so too, but a row whose key is damaged is found by nobody: what looks
// for it finds nothing. One bad row of an old task keeps no master from starting.
func (s *Store) checkRows(ctx context.Context, conn *sql.Conn) error {
	for _, table := range []struct {
		query string
		read  func(*sql.Rows) error
	}{
		{"SELECT " + taskColumns + " FROM tasks t", only(scanTask)},
		{"SELECT task_id, attempt, sum, doc FROM results", only(scanResult)},
		{"SELECT " + fileColumns + " FROM file_metadata", only(scanFile)},
	} {
		rows, err := conn.QueryContext(ctx, table.query)
		if err != nil {
			return err
		}
		err = scanAll(rows, func(rows *sql.Rows) error {
			err := table.read(rows)
			if errors.Is(err, db.ErrDamaged) {
				s.log.Warn("a row of the store is damaged", "file", s.path, "error", err)
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// only reads a row for what is wrong with it.
func only[Row any](scan func(*sql.Rows) (Row, error)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		_, err := scan(rows)
		return err
	}
}
