package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

// PutToken implements db.Tokens.
func (s *Store) PutToken(ctx context.Context, t cluster.APIToken) error {
	c, err := putToken(t)
	if err != nil {
		return err
	}
	return s.change(ctx, c)
}

func putToken(t cluster.APIToken) (change, error) {
	scopes, err := document.Marshal("tokens", t.ID, t.Scopes)
	if err != nil {
		return nil, err
	}
	return claim{statement{
		`INSERT INTO tokens (id, user_id, name, scopes, secret_hash, expires_at, created_at, last_used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, name = excluded.name,
scopes = excluded.scopes, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at,
created_at = excluded.created_at, last_used_at = excluded.last_used_at`,
		[]any{
			t.ID, string(t.UserID), t.Name, string(scopes), t.SecretHash,
			document.Nanos(t.ExpiresAt), document.Nanos(t.CreatedAt), document.Nanos(t.LastUsedAt),
		},
	}, fmt.Sprintf("the hash of token %s", t.ID)}, nil
}

// DeleteToken implements db.Tokens.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.change(ctx, statement{`DELETE FROM tokens WHERE id = ?`, []any{id}})
}

// TokenByHash implements db.Tokens.
func (s *Store) TokenByHash(ctx context.Context, hash string) (cluster.APIToken, error) {
	list, err := s.tokens(ctx, "WHERE secret_hash = ?", hash)
	switch {
	case err != nil:
		return cluster.APIToken{}, err
	case len(list) == 0:
		return cluster.APIToken{}, fmt.Errorf("token: %w", cluster.ErrNotFound)
	}
	return list[0], nil
}

// ListTokens implements db.Tokens.
func (s *Store) ListTokens(ctx context.Context, user cluster.UserID) ([]cluster.APIToken, error) {
	return s.tokens(ctx, "WHERE user_id = ? ORDER BY created_at, id", string(user))
}

func (s *Store) tokens(ctx context.Context, tail, key string) ([]cluster.APIToken, error) {
	var list []cluster.APIToken
	query := `SELECT id, user_id, name, scopes, secret_hash, expires_at, created_at, last_used_at FROM tokens ` + tail
	err := s.query(ctx, query, []any{key}, func(rows *sql.Rows) error {
		var t cluster.APIToken
		var scopes sql.RawBytes
		var expires, created, used int64
		if err := rows.Scan(&t.ID, &t.UserID, &t.Name, &scopes, &t.SecretHash, &expires, &created, &used); err != nil {
			return err
		}
		if err := json.Unmarshal(scopes, &t.Scopes); err != nil {
			return document.Damaged("tokens", t.ID, err.Error())
		}
		t.ExpiresAt, t.CreatedAt, t.LastUsedAt = document.FromNanos(expires), document.FromNanos(created), document.FromNanos(used)
		list = append(list, t)
		return nil
	})
	return list, err
}

// EndSession implements db.Tokens.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	return s.change(ctx, endSession(id, until))
}

func endSession(id string, until time.Time) change {
	return statement{
		`INSERT INTO ended_sessions (id, valid_until) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`,
		[]any{id, document.Nanos(until)},
	}
}

// EndedSessions implements db.Tokens.
func (s *Store) EndedSessions(ctx context.Context, now time.Time) (map[string]time.Time, error) {
	err := s.change(ctx, statement{`DELETE FROM ended_sessions WHERE valid_until <= ?`, []any{document.Nanos(now)}})
	if err != nil {
		return nil, err
	}
	ended := map[string]time.Time{}
	// The condition again, for what was noted since.
	err = s.query(ctx, `SELECT id, valid_until FROM ended_sessions WHERE valid_until > ?`, []any{document.Nanos(now)},
		func(rows *sql.Rows) error {
			var id string
			var until int64
			err := rows.Scan(&id, &until)
			ended[id] = document.FromNanos(until)
			return err
		})
	if err != nil {
		return nil, err
	}
	return ended, nil
}
