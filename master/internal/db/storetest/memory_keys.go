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

// PutKey implements db.Keys.
func (m *Memory) PutKey(ctx context.Context, k db.Key) error {
	if err := k.Check(); err != nil {
		return err
	}
	return m.write(ctx, func(d *memoryData) error {
		if err := d.keyFree(&k); err != nil {
			return err
		}
		d.keys[k.Name] = k
		return nil
	})
}

// keyFree is a *db.KeyTakenError when the key's name is taken.
func (d *memoryData) keyFree(k *db.Key) error {
	if taken, found := d.keys[k.Name]; found && taken.ExpiresAt.After(k.StoredAt) {
		return &db.KeyTakenError{TaskID: taken.TaskID}
	}
	return nil
}

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
