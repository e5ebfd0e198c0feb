package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"cloudai/master/internal/db"
)

// maxFullCheck is the largest file that is looked through at the start. A bigger
// one would hold the start up; its rows carry checksums anyway.
const maxFullCheck = 32 << 20

// check refuses a file that is not as this program has written it, and says what
// is wrong and where. What is only counted from the rest is counted anew.
func (s *Store) check(ctx context.Context, conn *sql.Conn) error {
	if err := checkSchema(ctx, conn, s.path); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() > maxFullCheck {
		return err
	}
	var verdict string
	if err := conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: %s", db.ErrDamaged, s.path, verdict)
	}
	return errors.Join(s.recount(ctx, conn), s.checkRows(ctx, conn))
}

// schemaItem is a table, an index or a trigger.
type schemaItem struct{ kind, name, text string }

// checkSchema compares the file's tables, indexes and triggers with those that
// the migrations make.
func checkSchema(ctx context.Context, conn *sql.Conn, path string) error {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	fresh, err := pool.Conn(ctx)
	if err != nil {
		return errors.Join(err, pool.Close())
	}
	want, err := freshSchema(ctx, fresh)
	if err := errors.Join(err, fresh.Close(), pool.Close()); err != nil {
		return err
	}
	got, err := schemaOf(ctx, conn)
	if err != nil {
		return err
	}
	for n, item := range want {
		if n >= len(got) || got[n] != item {
			return fmt.Errorf("%w: %s: the %s %s is not as it was made", db.ErrDamaged, path, item.kind, item.name)
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("%w: %s: the %s %s is not of this program", db.ErrDamaged, path, got[len(want)].kind, got[len(want)].name)
	}
	return nil
}

// freshSchema is what the migrations make of an empty file.
func freshSchema(ctx context.Context, conn *sql.Conn) ([]schemaItem, error) {
	if err := migrate(ctx, conn); err != nil {
		return nil, err
	}
	return schemaOf(ctx, conn)
}

func schemaOf(ctx context.Context, conn *sql.Conn) (items []schemaItem, err error) {
	// SQLite may add tables of its own.
	rows, err := conn.QueryContext(ctx, `SELECT type, name, coalesce(sql, '') FROM sqlite_schema
WHERE name NOT LIKE 'sqlite_stat%' AND name <> 'sqlite_sequence' ORDER BY type, name`)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func(rows *sql.Rows) error {
		var item schemaItem
		if err := rows.Scan(&item.kind, &item.name, &item.text); err != nil {
			return err
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

// Counts as they are kept, and as they are.
const (
	keptCounts = `SELECT user_id, status, n FROM task_counts WHERE n <> 0`
	realCounts = `SELECT user_id, status, count(*) FROM tasks GROUP BY user_id, status`
)

func wrongCounts(ctx context.Context, conn *sql.Conn) (wrong int, err error) {
	err = conn.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT * FROM (`+keptCounts+` EXCEPT `+realCounts+
		`) UNION ALL SELECT * FROM (`+realCounts+` EXCEPT `+keptCounts+`))`).Scan(&wrong)
	return wrong, err
}

// recount mends the counts of tasks where they are not those of the tasks.
func (s *Store) recount(ctx context.Context, conn *sql.Conn) error {
	wrong, err := wrongCounts(ctx, conn)
	if err != nil || wrong == 0 {
		return err
	}
	s.log.Warn("the counts of tasks were not those of the tasks; they are made anew", "file", s.path, "wrong", wrong)
	_, err = conn.ExecContext(ctx, `BEGIN IMMEDIATE; DELETE FROM task_counts; INSERT INTO task_counts `+realCounts+`; COMMIT`)
	return err
}
