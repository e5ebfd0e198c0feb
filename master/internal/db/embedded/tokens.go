package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// PutToken implements db.Tokens.
func (s *Store) PutToken(ctx context.Context, t cluster.APIToken) error {
	return s.queue.Change(ctx, putToken(t))
}

func putToken(t cluster.APIToken) change {
	return claim{statement{
		`INSERT INTO tokens (id, user_id, name, scopes, secret_hash, expires_at, created_at, last_used_at, sum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, name = excluded.name,
scopes = excluded.scopes, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at,
created_at = excluded.created_at, last_used_at = excluded.last_used_at, sum = excluded.sum`,
		[]any{
			t.ID, string(t.UserID), t.Name, document.Scopes(t.Scopes), t.SecretHash,
			document.Nanos(t.ExpiresAt), document.Nanos(t.CreatedAt), document.Nanos(t.LastUsedAt),
			document.TokenSum(&t),
		},
	}, fmt.Sprintf("the hash of token %s", t.ID)}
}

// DeleteToken implements db.Tokens.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.queue.Change(ctx, statement{`DELETE FROM tokens WHERE id = ?`, []any{id}})
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
	err := s.query(ctx, `SELECT `+tokenColumns+` FROM tokens `+tail, []any{key}, func(rows *sql.Rows) error {
		t, err := scanToken(rows)
		list = append(list, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

const tokenColumns = `id, user_id, name, scopes, secret_hash, expires_at, created_at, last_used_at, sum` //nolint:gosec // names of columns

func scanToken(rows *sql.Rows) (t cluster.APIToken, err error) {
	var scopes sql.RawBytes
	var expires, created, used, sum int64
	if err := rows.Scan(&t.ID, &t.UserID, &t.Name, &scopes, &t.SecretHash, &expires, &created, &used, &sum); err != nil {
		return t, err
	}
	if err := json.Unmarshal(scopes, &t.Scopes); err != nil {
		return t, document.Damaged("tokens", t.ID, err.Error())
	}
	t.ExpiresAt, t.CreatedAt, t.LastUsedAt = document.FromNanos(expires), document.FromNanos(created), document.FromNanos(used)
	return t, document.Matches(sum, document.TokenSum(&t), "tokens", t.ID)
}

// EndSession implements db.Tokens.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	return s.queue.Change(ctx, endSession(id, until))
}

func endSession(id string, until time.Time) change {
	return statement{
		`INSERT INTO ended_sessions (id, valid_until, sum) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		[]any{id, document.Nanos(until), document.EndedSum(db.EndedSession{ID: id, Until: until})},
	}
}

// EndedSessions implements db.Tokens.
func (s *Store) EndedSessions(ctx context.Context, now time.Time) (map[string]time.Time, error) {
	err := s.queue.Change(ctx, statement{`DELETE FROM ended_sessions WHERE valid_until <= ?`, []any{document.Nanos(now)}})
	if err != nil {
		return nil, err
	}
	ended := map[string]time.Time{}
	// The condition again, for what was noted since.
	err = s.query(ctx, `SELECT `+endedColumns+` FROM ended_sessions WHERE valid_until > ?`, []any{document.Nanos(now)},
		func(rows *sql.Rows) error {
			e, err := scanEnded(rows)
			ended[e.ID] = e.Until
			return err
		})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

const endedColumns = `id, valid_until, sum`

func scanEnded(rows *sql.Rows) (e db.EndedSession, err error) {
	var until, sum int64
	if err := rows.Scan(&e.ID, &until, &sum); err != nil {
		return e, err
	}
	e.Until = document.FromNanos(until)
	return e, document.Matches(sum, document.EndedSum(e), "ended_sessions", e.ID)
}
