package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type userRow struct {
	ID           string `bson:"_id"`
	Epoch        int64  `bson:"epoch"`
	Gone         bool   `bson:"gone,omitempty"` // see grave
	Name         string `bson:"name"`
	Email        string `bson:"email"`
	EmailKey     string `bson:"email_key"` // lower case, unique
	PasswordHash string `bson:"password_hash"`
	Role         string `bson:"role"`
	Disabled     bool   `bson:"disabled"`
	Generation   int64  `bson:"generation"`
	CreatedAt    int64  `bson:"created_at"` // nanoseconds since 1970
	Sum          *int64 `bson:"sum,omitempty"`
}

func newUserRow(epoch int64, u cluster.User) userRow {
	return userRow{
		ID: string(u.ID), Epoch: epoch, Name: u.Name, Email: u.Email, EmailKey: strings.ToLower(u.Email),
		PasswordHash: u.PasswordHash, Role: string(u.Role), Disabled: u.Disabled, Generation: u.Generation,
		CreatedAt: document.Nanos(u.CreatedAt), Sum: carry(document.UserSum(&u)),
	}
}

// user decodes a row after a look at its checksum.
func (r *userRow) user() (cluster.User, error) {
	u := cluster.User{
		ID: cluster.UserID(r.ID), Name: r.Name, Email: r.Email, PasswordHash: r.PasswordHash, Role: cluster.Role(r.Role),
		Disabled: r.Disabled, Generation: r.Generation, CreatedAt: document.FromNanos(r.CreatedAt),
	}
	return u, matches(r.Sum, document.UserSum(&u), "users", r.ID)
}

// carry is the checksum of a row without a document. Rows that schema 1 wrote
// have none.
func carry(sum int64) *int64 { return &sum }

// matches is document.Matches for a row that may have no checksum.
func matches(carried *int64, is int64, table string, key ...string) error {
	if carried == nil {
		return nil
	}
	return document.Matches(*carried, is, table, key...)
}

// decodeAll decodes rows up to the first that is damaged.
func decodeAll[Row, Value any](rows []Row, decode func(*Row) (Value, error)) (list []Value, err error) {
	for i := range rows {
		v, err := decode(&rows[i])
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// PutUser implements db.Users.
func (s *Store) PutUser(ctx context.Context, u cluster.User) error {
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		err := w.put(ctx, s.in.users, string(u.ID), newUserRow(w.epoch, u), bson.M{"email_key": strings.ToLower(u.Email)})
		if errors.Is(err, db.ErrVersion) {
			return fmt.Errorf("%w: the email of user %s is taken", db.ErrVersion, u.ID)
		}
		return err
	})
}

// DeleteUser implements db.Users. The account goes first: tokens without one
// count for nothing.
func (s *Store) DeleteUser(ctx context.Context, id cluster.UserID) error {
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		if err := w.remove(ctx, s.in.users, string(id)); err != nil {
			return err
		}
		return w.send(func(ctx context.Context) error {
			_, err := s.in.tokens.DeleteMany(ctx, bson.M{"user_id": string(id)})
			return err
		})
	})
}

// UserByID implements db.Users.
func (s *Store) UserByID(ctx context.Context, id cluster.UserID) (cluster.User, error) {
	return s.user(ctx, bson.M{"_id": string(id)})
}

// UserByEmail implements db.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (cluster.User, error) {
	return s.user(ctx, bson.M{"email_key": strings.ToLower(email)})
}

func (s *Store) user(ctx context.Context, filter bson.M) (cluster.User, error) {
	var row userRow
	found, err := s.findOne(ctx, s.in.users, filter, &row)
	if err == nil && (!found || row.Gone) {
		err = fmt.Errorf("user: %w", cluster.ErrNotFound)
	}
	if err != nil {
		return cluster.User{}, err
	}
	return row.user()
}

// ListUsers implements db.Users.
func (s *Store) ListUsers(ctx context.Context) ([]cluster.User, error) {
	rows, err := findAll[userRow](ctx, s, s.in.users, bson.M{"gone": bson.M{"$ne": true}}, options.Find().SetSort(order("created_at", "_id")))
	if err != nil {
		return nil, err
	}
	return decodeAll(rows, (*userRow).user)
}

// CountUsers implements db.Users.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	var n int64
	err := s.read(ctx, func(ctx context.Context) (err error) {
		n, err = s.in.users.CountDocuments(ctx, bson.M{"gone": bson.M{"$ne": true}})
		return err
	})
	return int(n), err
}
