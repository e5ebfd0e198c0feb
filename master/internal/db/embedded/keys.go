package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// keyFree is a *db.KeyTakenError when the key's name is taken.
func keyFree(s *session, k *db.Key) (answer, failure error) {
	var task string
	err := s.queryRow(`SELECT task_id FROM keys WHERE user_id = ? AND route = ? AND key = ? AND expires_at > ?`,
		[]any{string(k.Name.UserID), k.Name.Route, k.Name.Key, document.Nanos(k.StoredAt)}, &task)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &db.KeyTakenError{TaskID: cluster.TaskID(task)}, nil
}

// putKey stores a key whose name is free, in the place of an expired one.
func putKey(s *session, k *db.Key) error {
	_, err := s.exec(`INSERT INTO keys (user_id, route, key, print, task_id, stored_at, expires_at, sum, reply)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, route, key) DO UPDATE SET print = excluded.print,
task_id = excluded.task_id, stored_at = excluded.stored_at, expires_at = excluded.expires_at, sum = excluded.sum,
reply = excluded.reply`,
		string(k.Name.UserID), k.Name.Route, k.Name.Key, k.Print, string(k.TaskID),
		document.Nanos(k.StoredAt), document.Nanos(k.ExpiresAt), document.KeySum(k), k.Reply)
	return err
}

// keyAlone is a key that comes with no task.
type keyAlone struct{ k *db.Key }

func (c keyAlone) apply(s *session) (answer, failure error) {
	if taken, err := keyFree(s, c.k); taken != nil || err != nil {
		return taken, err
	}
	return nil, putKey(s, c.k)
}

// PutKey implements db.Keys.
func (s *Store) PutKey(ctx context.Context, k db.Key) error {
	if err := k.Check(); err != nil {
		return err
	}
	return s.queue.Change(ctx, keyAlone{&k})
}

// Key implements db.Keys.
func (s *Store) Key(ctx context.Context, name db.KeyName) (db.Key, error) {
	var k db.Key
	found := false
	err := s.query(ctx, `SELECT `+keyColumns+` FROM keys WHERE user_id = ? AND route = ? AND key = ?`,
		[]any{string(name.UserID), name.Route, name.Key}, func(rows *sql.Rows) (err error) {
			found = true
			k, err = scanKey(rows)
			return err
		})
	if err == nil && !found {
		err = fmt.Errorf("key: %w", cluster.ErrNotFound)
	}
	if err != nil {
		return db.Key{}, err
	}
	return k, nil
}

// ForgetKeys implements db.Keys.
func (s *Store) ForgetKeys(ctx context.Context, now time.Time, limit int) (int, error) {
	c := &counted{statement: statement{
		`DELETE FROM keys WHERE seq IN (SELECT seq FROM keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
		[]any{document.Nanos(now), limit},
	}}
	if err := s.queue.Change(ctx, c); err != nil {
		return 0, err // who gave up waiting: the writer may be counting still
	}
	return int(c.rows), nil
}
