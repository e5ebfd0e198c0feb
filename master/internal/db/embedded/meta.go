package embedded

import (
	"context"
	"database/sql"
	"fmt"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// MetaOnce implements db.Meta.
func (s *Store) MetaOnce(ctx context.Context, name, value string) (string, error) {
	once := putMeta(db.MetaValue{Name: name, Value: value})
	once.query += ` ON CONFLICT (name) DO NOTHING`
	err := s.queue.Change(ctx, once)
	if err != nil {
		return "", err
	}
	now, found := "", false
	err = s.query(ctx, `SELECT `+metaColumns+` FROM meta WHERE name = ?`, []any{name}, func(rows *sql.Rows) error {
		m, err := scanMeta(rows)
		found, now = true, m.Value
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("meta %q has vanished", name)
	}
	if err != nil {
		return "", err
	}
	return now, nil
}

func putMeta(m db.MetaValue) statement {
	return statement{`INSERT INTO meta (name, value, sum) VALUES (?, ?, ?)`, []any{m.Name, m.Value, document.MetaSum(m)}}
}

const metaColumns = `name, value, sum`

func scanMeta(rows *sql.Rows) (m db.MetaValue, err error) {
	var sum int64
	if err := rows.Scan(&m.Name, &m.Value, &sum); err != nil {
		return m, err
	}
	return m, document.Matches(sum, document.MetaSum(m), "meta", m.Name)
}
