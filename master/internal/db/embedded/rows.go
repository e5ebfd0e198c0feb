package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// checkRows says of every row that is not as it was written where it is. Reading
// it says so too, but a row whose key is damaged is found by nobody: what looks
// for it finds nothing. One bad row of an old task keeps no master from starting.
func (s *Store) checkRows(ctx context.Context, conn *sql.Conn) error {
	for _, table := range []struct {
		query string
		read  func(*sql.Rows) error
	}{
		{"SELECT " + taskColumns + " FROM tasks t", func(rows *sql.Rows) error {
			_, err := scanTask(rows)
			return err
		}},
		{"SELECT task_id, attempt, sum, doc FROM results", checkResult},
		{"SELECT task_id, attempt, path, size, sha256, content_type, sum FROM file_metadata", checkFile},
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

func checkResult(rows *sql.Rows) error {
	var id string
	var attempt, sum int64
	var doc sql.RawBytes
	if err := rows.Scan(&id, &attempt, &sum, &doc); err != nil {
		return err
	}
	if document.Sum(id, attempt, doc) != sum {
		return document.Damaged("results", fmt.Sprintf("%s/%d", id, attempt), "checksum does not match")
	}
	return nil
}

func checkFile(rows *sql.Rows) error {
	var id string
	var attempt int
	var sum int64
	var f cluster.File
	if err := rows.Scan(&id, &attempt, &f.Path, &f.Size, &f.SHA256, &f.ContentType, &sum); err != nil {
		return err
	}
	if document.FileSum(id, attempt, f) != sum {
		return document.Damaged("file_metadata", id+"/"+f.Path, "checksum does not match")
	}
	return nil
}
