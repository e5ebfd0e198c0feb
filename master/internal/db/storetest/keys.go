package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// keyFor is the key of the task's first write, stored at base and good for a
// day.
func keyFor(task cluster.TaskID, key string) *db.Key {
	return &db.Key{
		Name:  db.KeyName{UserID: "u1", Route: "submit", Key: key},
		Print: "print of " + string(task), TaskID: task, Reply: []byte(`{"task_id":"` + string(task) + `"}`),
		StoredAt: base, ExpiresAt: base.Add(24 * time.Hour),
	}
}

// keyed is the first write of a task, with a key.
func keyed(id cluster.TaskID, key *db.Key) db.Write {
	w := insert(queued(string(id), base))
	w.Key = key
	return w
}

// checkKey looks for a key as it was stored.
func checkKey(t testing.TB, s db.Store, want db.Key) {
	t.Helper()
	got, err := s.Key(t.Context(), want.Name)
	isErr(t, "key", err, nil)
	same(t, "key", got, want)
}

// isTaken checks that a write was refused for a key, and whose that is.
func isTaken(t testing.TB, what string, got error, by cluster.TaskID) {
	t.Helper()
	var taken *db.KeyTakenError
	if !errors.As(got, &taken) || !errors.Is(got, db.ErrKeyTaken) || taken.TaskID != by {
		t.Errorf("%s: got %v, want the key to be task %s's", what, got, by)
	}
}

// testKeys: a key comes and goes with its task's write, is the user's and the
// route's own, and outlives the store's life and its task's next values.
func testKeys(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	first := keyFor("a", "k")
	must(t, s, keyed("a", first))
	checkKey(t, s, *first)
	isTaken(t, "the same key", s.Commit(ctx, []db.Write{keyed("b", keyFor("b", "k"))})[0], "a")
	_, err := s.Task(ctx, "b")
	isErr(t, "the refused task", err, cluster.ErrNotFound)

	others := []*db.Key{keyFor("c", "k"), keyFor("d", "k"), keyFor("e", "K"), keyFor("f", "it's \"odd\" %_ \x00")}
	others[0].Name.UserID, others[1].Name.Route, others[3].Reply = "u2", "retry", nil
	for _, k := range others {
		must(t, s, keyed(k.TaskID, k))
	}
	must(t, s, update(assigned(get(t, s, "a"), "w1", minute(1))))

	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	if c, ok := b.(Crasher); ok {
		c.Crash(t)
		s = b.Open(t)
	}
	for _, k := range append(others, first) {
		checkKey(t, s, *k)
	}
	isTaken(t, "the same key in another life", s.Commit(ctx, []db.Write{keyed("b", keyFor("b", "k"))})[0], "a")
	late := update(running(get(t, s, "a"), minute(2)))
	late.Key = keyFor("a", "late") // also a later write may have one
	must(t, s, late)
	checkKey(t, s, *late.Key)
}

// testKeysRefused: of a write that did not happen its key did not either, and
// the other way round, also among others in one call.
func testKeysRefused(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	put(t, s, queued("there", base))
	errs := s.Commit(ctx, []db.Write{
		keyed("there", keyFor("there", "k1")), keyed("a", keyFor("a", "k2")), keyed("b", keyFor("b", "k2")),
		keyed("c", keyFor("c", "k1")), insert(queued("d", base)),
	})
	isErr(t, "a task that is there", errs[0], db.ErrVersion)
	isErr(t, "a new one", errs[1], nil)
	isTaken(t, "its key again", errs[2], "a")
	isErr(t, "the key of the refused write", errs[3], nil)
	isErr(t, "without a key", errs[4], nil)
	checkKey(t, s, *keyFor("c", "k1"))
	checkKey(t, s, *keyFor("a", "k2"))
	same(t, "tasks", listIDs(t, s, cluster.TaskFilter{}, 10), []cluster.TaskID{"a", "c", "d", "there"})
}

// testKeysExpire: a key that has run out gives way, and is forgotten in steps.
func testKeysExpire(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	must(t, s, keyed("a", keyFor("a", "k")))
	again := func(task cluster.TaskID, at time.Time) *db.Key {
		k := keyFor(task, "k")
		k.StoredAt, k.ExpiresAt = at, at.Add(24*time.Hour)
		return k
	}
	day := base.Add(24 * time.Hour)
	isTaken(t, "before it runs out", s.Commit(ctx, []db.Write{keyed("b", again("b", day.Add(-1)))})[0], "a")
	must(t, s, keyed("b", again("b", day)))
	checkKey(t, s, *again("b", day))
	get(t, s, "a") // its task stays

	for n := range 5 {
		k := keyFor(cluster.TaskID(fmt.Sprint("t", n)), fmt.Sprint("k", n))
		k.ExpiresAt = day.Add(time.Duration(n) * time.Minute)
		must(t, s, keyed(k.TaskID, k))
	}
	forget := func(now time.Time, limit, want int) {
		t.Helper()
		if n, err := s.ForgetKeys(ctx, now, limit); err != nil || n != want {
			t.Errorf("%d keys forgotten, %v; want %d", n, err, want)
		}
	}
	forget(day.Add(-1), 10, 0)
	forget(day.Add(3*time.Minute), 3, 3)
	forget(day.Add(3*time.Minute), 3, 1)
	forget(day.Add(3*time.Minute), 3, 0)
	_, err := s.Key(ctx, keyFor("t3", "k3").Name)
	isErr(t, "a forgotten key", err, cluster.ErrNotFound)
	checkKey(t, s, *again("b", day))
	if _, err := s.Key(ctx, keyFor("t4", "k4").Name); err != nil {
		t.Errorf("a key that has not run out: %v", err)
	}
	get(t, s, "t0")
	must(t, s, keyed("t5", keyFor("t5", "k0"))) // the name is free again
}

// testKeysAlone: the key of a request that has changed no task is kept like any
// other.
func testKeysAlone(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	alone := func(key string) *db.Key { return keyFor("", key) }
	isErr(t, "a key", s.PutKey(ctx, *alone("k")), nil)
	must(t, s, keyed("a", keyFor("a", "a")))
	other := alone("k")
	other.Name.UserID, other.Reply = "u2", nil
	isErr(t, "another user's", s.PutKey(ctx, *other), nil)

	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	if c, ok := b.(Crasher); ok {
		c.Crash(t)
		s = b.Open(t)
	}
	for _, k := range []*db.Key{alone("k"), other, keyFor("a", "a")} {
		checkKey(t, s, *k)
	}
	isTaken(t, "the same key", s.PutKey(ctx, *alone("k")), "")
	isTaken(t, "a task's key", s.PutKey(ctx, *alone("a")), "a")
	isTaken(t, "the same key with a task", s.Commit(ctx, []db.Write{keyed("b", keyFor("b", "k"))})[0], "")
	_, err := s.Task(ctx, "b")
	isErr(t, "the refused task", err, cluster.ErrNotFound)

	nameless, over := alone(""), alone("x")
	over.ExpiresAt = over.StoredAt
	for _, bad := range []*db.Key{nameless, over, keyFor("a", "x")} {
		isErr(t, "a bad key", s.PutKey(ctx, *bad), cluster.ErrInvalid)
	}

	late := alone("k")
	late.StoredAt, late.ExpiresAt = base.Add(24*time.Hour), base.Add(48*time.Hour)
	isErr(t, "after it ran out", s.PutKey(ctx, *late), nil)
	checkKey(t, s, *late)
	if n, err := s.ForgetKeys(ctx, base.Add(24*time.Hour), 10); err != nil || n != 2 {
		t.Errorf("%d keys forgotten, %v; want 2", n, err)
	}
	checkKey(t, s, *late)
	_, err = s.Key(ctx, other.Name)
	isErr(t, "a forgotten key", err, cluster.ErrNotFound)
}

// testKeyRace: of many at once one gets the key, and the others hear of it.
func testKeyRace(t *testing.T, b Backend) {
	s := b.Open(t)
	const n = 40
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			id := cluster.TaskID(fmt.Sprintf("t%02d", i))
			errs[i] = s.Commit(t.Context(), []db.Write{keyed(id, keyFor(id, "k"))})[0]
		})
	}
	group.Wait()
	tasks := listIDs(t, s, cluster.TaskFilter{}, n)
	if len(tasks) != 1 {
		t.Fatalf("%d tasks of one key: %v", len(tasks), tasks)
	}
	for i, err := range errs {
		if id := cluster.TaskID(fmt.Sprintf("t%02d", i)); id != tasks[0] {
			isTaken(t, string(id), err, tasks[0])
		} else if err != nil {
			t.Errorf("the winner hears %v", err)
		}
	}
}
