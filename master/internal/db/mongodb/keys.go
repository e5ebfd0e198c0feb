package mongodb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// keyRow is one key. It counts while its task refers to it, as all rows beside
// a task do: key and effect are one write. One without a task counts by itself.
type keyRow struct {
	ID        bson.ObjectID `bson:"_id"`
	Write     bson.ObjectID `bson:"write"`
	UserID    string        `bson:"user_id"`
	Route     string        `bson:"route"`
	Key       string        `bson:"key"`
	Print     string        `bson:"print"`
	TaskID    string        `bson:"task_id"`
	Reply     []byte        `bson:"reply"`
	StoredAt  int64         `bson:"stored_at"`  // nanoseconds since 1970
	ExpiresAt int64         `bson:"expires_at"` // nanoseconds since 1970
	Sum       int64         `bson:"sum"`
}

func newKeyRow(k *db.Key, write bson.ObjectID) keyRow {
	return keyRow{
		ID: bson.NewObjectID(), Write: write, UserID: string(k.Name.UserID), Route: k.Name.Route, Key: k.Name.Key, Print: k.Print,
		TaskID: string(k.TaskID), Reply: k.Reply, StoredAt: document.Nanos(k.StoredAt), ExpiresAt: document.Nanos(k.ExpiresAt),
		Sum: document.KeySum(k),
	}
}

// key decodes a row after a look at its checksum.
func (r *keyRow) key() (db.Key, error) {
	k := db.Key{
		Name:  db.KeyName{UserID: cluster.UserID(r.UserID), Route: r.Route, Key: r.Key},
		Print: r.Print, TaskID: cluster.TaskID(r.TaskID), Reply: r.Reply,
		StoredAt: document.FromNanos(r.StoredAt), ExpiresAt: document.FromNanos(r.ExpiresAt),
	}
	if document.KeySum(&k) != r.Sum {
		return db.Key{}, document.Damaged("keys", r.UserID+" "+r.Route+" "+r.Key, "checksum does not match")
	}
	return k, nil
}

// keysNamed gives the keys that count under the names; of one that ran out and
// was followed by another the later.
func (s *Store) keysNamed(ctx context.Context, names []db.KeyName) (map[db.KeyName]db.Key, error) {
	if len(names) == 0 {
		return nil, nil
	}
	or := make(bson.A, len(names))
	for i, n := range names {
		or[i] = bson.M{"user_id": string(n.UserID), "route": n.Route, "key": n.Key}
	}
	rows, err := findAll[keyRow](ctx, s, s.in.keys, bson.M{"$or": or})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		if row.TaskID != "" && !slices.Contains(ids, row.TaskID) {
			ids = append(ids, row.TaskID)
		}
	}
	counts, err := s.keyWritesOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := map[db.KeyName]db.Key{}
	for i := range rows {
		if rows[i].TaskID != "" && !counts[rows[i].Write] {
			continue
		}
		k, err := rows[i].key()
		if err != nil {
			return nil, err
		}
		if old, ok := found[k.Name]; !ok || k.StoredAt.After(old.StoredAt) {
			found[k.Name] = k
		}
	}
	return found, nil
}

// keyWritesOf are the writes whose keys count, since these tasks name them.
func (s *Store) keyWritesOf(ctx context.Context, ids []string) (map[bson.ObjectID]bool, error) {
	counts := map[bson.ObjectID]bool{}
	if len(ids) == 0 {
		return counts, nil
	}
	tasks, err := findAll[taskRow](ctx, s, s.in.tasks, among(ids), options.Find().SetProjection(bson.M{"rows": 1}))
	for _, t := range tasks {
		for _, ref := range t.Rows {
			counts[ref.Write] = counts[ref.Write] || ref.Kind == kindKey
		}
	}
	return counts, err
}

// PutKey implements db.Keys. An insert of unknown outcome that is carried out
// later is either the reply that its caller did not get, or older than the key of
// the repeat and counts for nothing.
func (s *Store) PutKey(ctx context.Context, k db.Key) error {
	if err := k.Check(); err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		if err := w.ready(); err != nil {
			return err
		}
		taken, err := s.keysNamed(ctx, []db.KeyName{k.Name})
		if err != nil {
			return fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, err)
		}
		if err := isTaken(taken, &k); err != nil {
			return err
		}
		row := newKeyRow(&k, bson.NewObjectID())
		err = w.send(func(ctx context.Context) error {
			_, err := s.in.keys.InsertOne(ctx, row)
			return err
		})
		if err == nil && len(taken) > 0 {
			w.removeExpired(k.Name, row.Write)
		}
		return err
	})
}

// Key implements db.Keys.
func (s *Store) Key(ctx context.Context, name db.KeyName) (db.Key, error) {
	found, err := s.keysNamed(ctx, []db.KeyName{name})
	if err != nil {
		return db.Key{}, err
	}
	k, ok := found[name]
	if !ok {
		return k, fmt.Errorf("key: %w", cluster.ErrNotFound)
	}
	return k, nil
}

// ForgetKeys implements db.Keys. Keys of writes that never came into force go
// with the others.
func (s *Store) ForgetKeys(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit < 1 {
		return 0, ctx.Err()
	}
	n := 0
	err := s.change(ctx, func(ctx context.Context, w *writer) error {
		if err := w.ready(); err != nil {
			return err
		}
		rows, err := findAll[keyRow](ctx, s, s.in.keys, bson.M{"expires_at": bson.M{"$lte": document.Nanos(now)}},
			options.Find().SetSort(order("expires_at")).SetLimit(int64(limit)).SetProjection(bson.M{"_id": 1, "task_id": 1}))
		if err != nil || len(rows) == 0 {
			return err
		}
		ids, tasks := make([]bson.ObjectID, len(rows)), make([]string, len(rows))
		for i, row := range rows {
			ids[i], tasks[i] = row.ID, row.TaskID
		}
		err = w.send(func(ctx context.Context) error {
			res, err := s.in.keys.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": ids}})
			if err == nil {
				n = int(res.DeletedCount)
			}
			return err
		})
		if err != nil {
			return err
		}
		return w.removeDeleted(tasks)
	})
	if err != nil {
		return 0, err // who gave up waiting: the writer may be counting still
	}
	return n, nil
}

// takenKeys are those of the names in the items that are stored.
func (w *writer) takenKeys(items []*item) (map[db.KeyName]db.Key, error) {
	var names []db.KeyName
	for _, it := range items {
		if k := it.task.w.Key; k != nil && !slices.Contains(names, k.Name) {
			names = append(names, k.Name)
		}
	}
	return w.s.keysNamed(context.Background(), names)
}

// isTaken is a *db.KeyTakenError when the item's key is another write's.
func isTaken(taken map[db.KeyName]db.Key, k *db.Key) error {
	if k == nil {
		return nil
	}
	if old, ok := taken[k.Name]; ok && old.ExpiresAt.After(k.StoredAt) {
		return &db.KeyTakenError{TaskID: old.TaskID}
	}
	return nil
}

// removeExpired takes away the keys that ran out and had the name before this
// write.
func (w *writer) removeExpired(name db.KeyName, write bson.ObjectID) {
	err := w.send(func(ctx context.Context) error {
		_, err := w.s.in.keys.DeleteMany(ctx, bson.M{
			"user_id": string(name.UserID), "route": name.Route, "key": name.Key, "write": bson.M{"$ne": write},
		})
		return err
	})
	if err != nil {
		w.s.log.Warn("a key that ran out is left", "user_id", name.UserID, "route", name.Route, "error", err)
	}
}
