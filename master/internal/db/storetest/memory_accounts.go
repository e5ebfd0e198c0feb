package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// PutUser implements db.Users.
func (m *Memory) PutUser(ctx context.Context, u cluster.User) error {
	return m.write(ctx, func(d *memoryData) error {
		for _, other := range d.users {
			if other.ID != u.ID && strings.ToLower(other.Email) == strings.ToLower(u.Email) { //nolint:staticcheck // EqualFold folds more than the contract says
				return fmt.Errorf("%w: the email of user %s is taken", db.ErrVersion, u.ID)
			}
		}
		d.users[u.ID] = u
		return nil
	})
}

// DeleteUser implements db.Users.
func (m *Memory) DeleteUser(ctx context.Context, id cluster.UserID) error {
	return m.write(ctx, func(d *memoryData) error {
		delete(d.users, id)
		maps.DeleteFunc(d.tokens, func(_ string, t cluster.APIToken) bool { return t.UserID == id })
		return nil
	})
}

// UserByID implements db.Users.
func (m *Memory) UserByID(ctx context.Context, id cluster.UserID) (cluster.User, error) {
	return m.user(ctx, func(u cluster.User) bool { return u.ID == id })
}

// UserByEmail implements db.Users.
func (m *Memory) UserByEmail(ctx context.Context, email string) (cluster.User, error) {
	key := strings.ToLower(email)
	return m.user(ctx, func(u cluster.User) bool { return strings.ToLower(u.Email) == key })
}

func (m *Memory) user(ctx context.Context, is func(cluster.User) bool) (cluster.User, error) {
	list, err := m.ListUsers(ctx)
	if err != nil {
		return cluster.User{}, err
	}
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], nil
	}
	return cluster.User{}, fmt.Errorf("user: %w", cluster.ErrNotFound)
}

// ListUsers implements db.Users.
func (m *Memory) ListUsers(ctx context.Context) (list []cluster.User, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		list = slices.SortedFunc(maps.Values(d.users), func(a, b cluster.User) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		return nil
	})
	return list, err
}

// CountUsers implements db.Users.
func (m *Memory) CountUsers(ctx context.Context) (n int, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		n = len(d.users)
		return nil
	})
	return n, err
}

// PutToken implements db.Tokens.
func (m *Memory) PutToken(ctx context.Context, t cluster.APIToken) error {
	return m.write(ctx, func(d *memoryData) error {
		for _, other := range d.tokens {
			if other.ID != t.ID && other.SecretHash == t.SecretHash {
				return fmt.Errorf("%w: the hash of token %s is taken", db.ErrVersion, t.ID)
			}
		}
		d.tokens[t.ID] = t
		return nil
	})
}

// DeleteToken implements db.Tokens.
func (m *Memory) DeleteToken(ctx context.Context, id string) error {
	return m.write(ctx, func(d *memoryData) error {
		delete(d.tokens, id)
		return nil
	})
}

// TokenByHash implements db.Tokens.
func (m *Memory) TokenByHash(ctx context.Context, hash string) (cluster.APIToken, error) {
	list, err := m.tokens(ctx, func(t cluster.APIToken) bool { return t.SecretHash == hash })
	if err != nil {
		return cluster.APIToken{}, err
	}
	if len(list) == 0 {
		return cluster.APIToken{}, fmt.Errorf("token: %w", cluster.ErrNotFound)
	}
	return list[0], nil
}

// ListTokens implements db.Tokens.
func (m *Memory) ListTokens(ctx context.Context, user cluster.UserID) ([]cluster.APIToken, error) {
	return m.tokens(ctx, func(t cluster.APIToken) bool { return t.UserID == user })
}

func (m *Memory) tokens(ctx context.Context, want func(cluster.APIToken) bool) (list []cluster.APIToken, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		for _, t := range d.tokens {
			if want(t) {
				list = append(list, t)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b cluster.APIToken) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// EndSession implements db.Tokens.
func (m *Memory) EndSession(ctx context.Context, id string, until time.Time) error {
	return m.write(ctx, func(d *memoryData) error {
		if _, found := d.ended[id]; !found {
			d.ended[id] = until
		}
		return nil
	})
}

// EndedSessions implements db.Tokens.
func (m *Memory) EndedSessions(ctx context.Context, now time.Time) (ended map[string]time.Time, err error) {
	err = m.write(ctx, func(d *memoryData) error {
		maps.DeleteFunc(d.ended, func(_ string, until time.Time) bool { return !until.After(now) })
		ended = maps.Clone(d.ended)
		return nil
	})
	return ended, err
}
