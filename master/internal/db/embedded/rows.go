package embedded

import (
	"context"
	"database/sql"
	"errors"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// checkedTable is one whose rows carry a checksum; all but task_counts are.
type checkedTable struct {
	name  string
	since int // schema
	query string
	read  func(*sql.Rows) error
}

var checkedTables = []checkedTable{
	{"tasks", 1, "SELECT " + taskColumns + " FROM tasks t", only(scanTask)},
	{"results", 1, "SELECT task_id, attempt, sum, doc FROM results", only(scanResult)},
	{"file_metadata", 1, "SELECT " + fileColumns + " FROM file_metadata", only(scanFile)},
	{"assignments", 4, "SELECT " + assignmentColumns + " FROM assignments", only(scanAssignment)},
	{"users", 4, "SELECT " + userColumns + " FROM users", only(scanUser)},
	{"tokens", 4, "SELECT " + tokenColumns + " FROM tokens", only(scanToken)},
	{"ended_sessions", 4, "SELECT " + endedColumns + " FROM ended_sessions", only(scanEnded)},
	{"meta", 4, "SELECT " + metaColumns + " FROM meta", only(scanMeta)},
	{"keys", 3, "SELECT " + keyColumns + " FROM keys", only(scanKey)},
	{"audit", 5, "SELECT " + auditColumns + " FROM audit", only(scanAudit)},
	{"workers", 1, "SELECT id, sum, doc FROM workers", func(rows *sql.Rows) error {
		var id string
		var sum int64
		var doc sql.RawBytes
		if err := rows.Scan(&id, &sum, &doc); err != nil {
			return err
		}
		_, err := document.DecodeWorker(id, sum, doc)
		return err
	}},
}

// only reads a row for what is wrong with it.
func only[Row any](scan func(*sql.Rows) (Row, error)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		_, err := scan(rows)
		return err
	}
}

// eachDamagedRow tells of every row that is not as it was written.
func eachDamagedRow(ctx context.Context, conn *sql.Conn, table checkedTable, tell func(error)) error {
	if table.since > len(migrations) { // of an older program, as a test has it
		return nil
	}
	rows, err := conn.QueryContext(ctx, table.query)
	if err != nil {
		return err
	}
	return scanAll(rows, func(rows *sql.Rows) error {
		err := table.read(rows)
		if errors.Is(err, db.ErrDamaged) {
			tell(err)
			return nil
		}
		return err
	})
}

// checkRows says of every row that is not as it was written where it is. Reading
// it says so too, but a row whose key is damaged is found by nobody: what looks
// for it finds nothing. One bad row of an old task keeps no master from starting.
func (s *Store) checkRows(ctx context.Context, conn *sql.Conn) error {
	for _, table := range checkedTables {
		err := eachDamagedRow(ctx, conn, table, func(err error) {
			s.log.Warn("a row of the store is damaged", "file", s.path, "error", err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
