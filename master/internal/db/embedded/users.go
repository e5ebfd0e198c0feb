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
func (s *Store) PutUser(ctx context.Context, u cluster.User) error { return s.change(ctx, putUser(u)) }

func putUser(u cluster.User) change {
	return claim{statement{
		`INSERT INTO users (id, name, email, email_key, password_hash, role, disabled, generation, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
email_key = excluded.email_key, password_hash = excluded.password_hash, role = excluded.role,
disabled = excluded.disabled, generation = excluded.generation, created_at = excluded.created_at`,
		[]any{
			string(u.ID), u.Name, u.Email, strings.ToLower(u.Email), u.PasswordHash, string(u.Role),
			flag(u.Disabled), u.Generation, document.Nanos(u.CreatedAt),
		},
	}, fmt.Sprintf("the email of user %s", u.ID)}
}

// DeleteUser implements db.Users.
func (s *Store) DeleteUser(ctx context.Context, id cluster.UserID) error {
	return s.change(ctx, statements{
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
	query := `SELECT id, name, email, password_hash, role, disabled, generation, created_at FROM users ` + tail
	err := s.query(ctx, query, args, func(rows *sql.Rows) error {
		var u cluster.User
		var at int64
		err := rows.Scan(&u.ID, &u.Name, &u.Email, &u.PasswordHash, &u.Role, &u.Disabled, &u.Generation, &at)
		u.CreatedAt = document.FromNanos(at)
		list = append(list, u)
		return err
	})
	return list, err
}

// CountUsers implements db.Users.
func (s *Store) CountUsers(ctx context.Context) (n int, err error) {
	err = s.query(ctx, `SELECT count(*) FROM users`, nil, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}
