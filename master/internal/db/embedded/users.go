package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// userWrite is one PutUser.
type userWrite struct{ u db.User }

func (c userWrite) apply(s *session) (answer, failure error) {
	u := &c.u
	_, err := s.exec(`INSERT INTO users (id, name, email, email_key, password_hash, role, disabled, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
email_key = excluded.email_key, password_hash = excluded.password_hash, role = excluded.role,
disabled = excluded.disabled, created_at = excluded.created_at`,
		string(u.ID), u.Name, u.Email, strings.ToLower(u.Email), u.PasswordHash, string(u.Role), flag(u.Disabled), column(u.CreatedAt))
	if isUnique(err) {
		return fmt.Errorf("%w: the email of user %s is taken", db.ErrVersion, u.ID), nil
	}
	return nil, err
}

// PutUser implements db.Users.
func (s *Store) PutUser(ctx context.Context, u db.User) error { return s.change(ctx, userWrite{u}) }

// UserByID implements db.Users.
func (s *Store) UserByID(ctx context.Context, id cluster.UserID) (db.User, error) {
	return s.user(ctx, "WHERE id = ?", string(id))
}

// UserByEmail implements db.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (db.User, error) {
	return s.user(ctx, "WHERE email_key = ?", strings.ToLower(email))
}

func (s *Store) user(ctx context.Context, where, key string) (db.User, error) {
	list, err := s.users(ctx, where, key)
	switch {
	case err != nil:
		return db.User{}, err
	case len(list) == 0:
		return db.User{}, fmt.Errorf("user: %w", cluster.ErrNotFound)
	}
	return list[0], nil
}

// ListUsers implements db.Users.
func (s *Store) ListUsers(ctx context.Context) ([]db.User, error) {
	return s.users(ctx, "ORDER BY created_at, id")
}

func (s *Store) users(ctx context.Context, tail string, args ...any) ([]db.User, error) {
	var list []db.User
	query := `SELECT id, name, email, password_hash, role, disabled, created_at FROM users ` + tail
	err := s.query(ctx, query, args, func(rows *sql.Rows) error {
		var u db.User
		var at int64
		err := rows.Scan(&u.ID, &u.Name, &u.Email, &u.PasswordHash, &u.Role, &u.Disabled, &at)
		u.CreatedAt = fromColumn(at)
		list = append(list, u)
		return err
	})
	return list, err
}
