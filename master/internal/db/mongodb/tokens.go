package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type tokenRow struct {
	ID         string          `bson:"_id"`
	Epoch      int64           `bson:"epoch"`
	Gone       bool            `bson:"gone,omitempty"` // see grave
	UserID     string          `bson:"user_id"`
	Name       string          `bson:"name"`
	Scopes     []cluster.Scope `bson:"scopes"`      // null: none were given
	SecretHash string          `bson:"secret_hash"` // unique
	ExpiresAt  int64           `bson:"expires_at"`  // nanoseconds since 1970
	CreatedAt  int64           `bson:"created_at"`
	LastUsedAt int64           `bson:"last_used_at"`
	Sum        *int64          `bson:"sum,omitempty"`
}

func newTokenRow(epoch int64, t cluster.APIToken) tokenRow {
	return tokenRow{
		ID: t.ID, Epoch: epoch, UserID: string(t.UserID), Name: t.Name, Scopes: t.Scopes, SecretHash: t.SecretHash,
		ExpiresAt: document.Nanos(t.ExpiresAt), CreatedAt: document.Nanos(t.CreatedAt), LastUsedAt: document.Nanos(t.LastUsedAt),
		Sum: carry(document.TokenSum(&t)),
	}
}

// token decodes a row after a look at its checksum.
func (r *tokenRow) token() (cluster.APIToken, error) {
	t := cluster.APIToken{
		ID: r.ID, UserID: cluster.UserID(r.UserID), Name: r.Name, Scopes: r.Scopes, SecretHash: r.SecretHash,
		ExpiresAt: document.FromNanos(r.ExpiresAt), CreatedAt: document.FromNanos(r.CreatedAt), LastUsedAt: document.FromNanos(r.LastUsedAt),
	}
	return t, matches(r.Sum, document.TokenSum(&t), "tokens", r.ID)
}

// PutToken implements db.Tokens.
func (s *Store) PutToken(ctx context.Context, t cluster.APIToken) error {
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		err := w.put(ctx, s.in.tokens, t.ID, newTokenRow(w.epoch, t), bson.M{"secret_hash": t.SecretHash})
		if errors.Is(err, db.ErrVersion) {
			return fmt.Errorf("%w: the hash of token %s is taken", db.ErrVersion, t.ID)
		}
		return err
	})
}

// DeleteToken implements db.Tokens.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.change(ctx, func(ctx context.Context, w *writer) error { return w.remove(ctx, s.in.tokens, id) })
}

// TokenByHash implements db.Tokens.
func (s *Store) TokenByHash(ctx context.Context, hash string) (cluster.APIToken, error) {
	var row tokenRow
	found, err := s.findOne(ctx, s.in.tokens, bson.M{"secret_hash": hash}, &row)
	if err == nil && !found {
		err = fmt.Errorf("token: %w", cluster.ErrNotFound)
	}
	if err != nil {
		return cluster.APIToken{}, err
	}
	return row.token()
}

// ListTokens implements db.Tokens.
func (s *Store) ListTokens(ctx context.Context, user cluster.UserID) ([]cluster.APIToken, error) {
	rows, err := findAll[tokenRow](ctx, s, s.in.tokens, bson.M{"user_id": string(user), "gone": bson.M{"$ne": true}},
		options.Find().SetSort(order("created_at", "_id")))
	if err != nil {
		return nil, err
	}
	return decodeAll(rows, (*tokenRow).token)
}
