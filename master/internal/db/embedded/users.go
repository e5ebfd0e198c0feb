package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

// PutUser implements db.Users.
func (s *Store) PutUser(ctx context.Context, u cluster.User) error {
	return s.queue.Change(ctx, putUser(u))
}

func putUser(u cluster.User) change {
	return claim{statement{
		`INSERT INTO users (id, name, email, email_key, password_hash, role, disabled, generation, created_at, sum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
email_key = excluded.email_key, password_hash = excluded.password_hash, role = excluded.role,
disabled = excluded.disabled, generation = excluded.generation, created_at = excluded.created_at, sum = excluded.sum`,
		[]any{
			string(u.ID), u.Name, u.Email, strings.ToLower(u.Email), u.PasswordHash, string(u.Role),
			document.Flag(u.Disabled), u.Generation, document.Nanos(u.CreatedAt), document.UserSum(&u),
		},
	}, fmt.Sprintf("the email of user %s", u.ID)}
}

// DeleteUser implements db.Users.
func (s *Store) DeleteUser(ctx context.Context, id cluster.UserID) error {
	return s.queue.Change(ctx, statements{
		{`DELETE FROM tokens WHERE user_id = ?`, []any{string(id)}},
		{`DELETE FROM users WHERE id = ?`, []any{string(id)}},
	})
}

// UserByID implements db.Users.
func (s *Store) UserByID(ctx context.Context, id cluster.UserID) (cluster.User, error) {
	return s.user(ctx, "WHERE id = ?", string(id))
}

// UserByEmail implements db.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (cluster.User, error) {
	return s.user(ctx, "WHERE email_key = ?", strings.ToLower(email))
}

func (s *Store) user(ctx context.Context, where, key string) (cluster.User, error) {
	list, err := s.users(ctx, where, key)
	switch {
	case err != nil:
		return cluster.User{}, err
	case len(list) == 0:
		return cluster.User{}, fmt.Errorf("user: %w", cluster.ErrNotFound)
	}
	return list[0], nil
}

// ListUsers implements db.Users.
func (s *Store) ListUsers(ctx context.Context) ([]cluster.User, error) {
	return s.users(ctx, "ORDER BY created_at, id")
}

func (s *Store) users(ctx context.Context, tail string, args ...any) ([]cluster.User, error) {
	var list []cluster.User
	err := s.query(ctx, `SELECT `+userColumns+` FROM users `+tail, args, func(rows *sql.Rows) error {
		u, err := scanUser(rows)
		list = append(list, u)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

const userColumns = `id, name, email, email_key, password_hash, role, disabled, generation, created_at, sum`

func scanUser(rows *sql.Rows) (u cluster.User, err error) {
	var key string
	var disabled, at, sum int64
	if err := rows.Scan(&u.ID, &u.Name, &u.Email, &key, &u.PasswordHash, &u.Role, &disabled, &u.Generation, &at, &sum); err != nil {
		return u, err
	}
	u.Disabled, u.CreatedAt = disabled != 0, document.FromNanos(at)
	if key != strings.ToLower(u.Email) || disabled != document.Flag(u.Disabled) {
		return u, document.Damaged("users", string(u.ID), "its columns do not belong together")
	}
	return u, document.Matches(sum, document.UserSum(&u), "users", string(u.ID))
}

// CountUsers implements db.Users.
func (s *Store) CountUsers(ctx context.Context) (n int, err error) {
	err = s.query(ctx, `SELECT count(*) FROM users`, nil, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}
