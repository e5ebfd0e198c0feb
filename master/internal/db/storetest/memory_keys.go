package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Key implements db.Keys.
func (m *Memory) Key(ctx context.Context, name db.KeyName) (k db.Key, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		var found bool
		if k, found = d.keys[name]; !found {
			return fmt.Errorf("key: %w", cluster.ErrNotFound)
		}
		return nil
	})
	return k, err
}

// ForgetKeys implements db.Keys.
func (m *Memory) ForgetKeys(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = m.write(ctx, func(d *memoryData) error {
		byExpiry := slices.SortedFunc(maps.Values(d.keys), func(a, b db.Key) int {
			return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.TaskID, b.TaskID))
		})
		for _, k := range byExpiry {
			if n == limit || k.ExpiresAt.After(now) {
				break
			}
			delete(d.keys, k.Name)
			n++
		}
		return nil
	})
	return n, err
}
