package embedded

import (
	"context"
	"database/sql"
	"fmt"
)

// MetaOnce implements db.Meta.
func (s *Store) MetaOnce(ctx context.Context, name, value string) (string, error) {
	err := s.change(ctx, statement{`INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, []any{name, value}})
	if err != nil {
		return "", err
	}
	now, found := "", false
	err = s.query(ctx, `SELECT value FROM meta WHERE name = ?`, []any{name}, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&now)
	})
	if err == nil && !found {
		err = fmt.Errorf("meta %q has vanished", name)
	}
	return now, err
}
