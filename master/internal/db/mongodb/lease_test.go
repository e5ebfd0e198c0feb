package mongodb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// inWriter runs something as the writer's goroutine would.
func inWriter(t testing.TB, s *Store, do func(ctx context.Context, w *writer) error) {
	t.Helper()
	if err := s.change(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// Of masters that start at the same time on a database that nobody holds one
// gets it.
func TestF25RaceForTheLease(t *testing.T) {
	t.Parallel()
	database := testDatabase(t)
	const masters = 4
	errs := make([]error, masters)
	var all sync.WaitGroup
	for i := range masters {
		dir := t.TempDir()
		// Long enough for who has it to show life on a busy machine.
		all.Go(func() {
			_, errs[i] = openWith(t, Options{URI: testURI, Database: database, Dir: dir, Lease: 4 * shortLease, Timeout: 4 * shortTimeout})
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, db.ErrLocked) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d masters have the database", won)
	}
}

// A master that stood still for longer than its lease, as a machine that sleeps
// does, looks before it writes: it does not when another one has taken over.
func TestF25StoodStill(t *testing.T) {
	t.Parallel()
	database := testDatabase(t)
	old, err := openAt(t, testURI, database, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	task, err := newTaskWrite(insert(newTask("late")))
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	var stands sync.WaitGroup
	stands.Go(func() {
		errs = old.queue.ChangeAll(context.WithoutCancel(t.Context()), []change{
			{do: func(context.Context, *writer) error {
				<-over
				return nil
			}}, {task: task},
		})
	})
	young, err := openAt(t, testURI, database, t.TempDir())
	close(over)
	stands.Wait()
	if err != nil {
		t.Fatal(err)
	}
	late := errs[1]
	await(t, 10*time.Second, func() error {
		if !errors.Is(late, db.ErrUnavailable) {
			return nil
		}
		// The look has found a busy server: nothing was written, and it looks again.
		late = old.Commit(t.Context(), []db.Write{insert(newTask("late"))})[0]
		return late
	})
	if !errors.Is(late, db.ErrLocked) {
		t.Errorf("a write of the old master: %v", late)
	}
	if _, err := young.Task(t.Context(), "late"); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("the task of the old master: %v", err)
	}
}

// Nothing is sent while the lease may end before the call's time is up: before
// every such call comes a sign of life.
func TestF25LeaseOutlivesEachCall(t *testing.T) {
	t.Parallel()
	s, heard := listenedTo(t, testURI)
	commit(t, s, insert(newTask("a")))
	commit(t, s, whole(get(t, s, "a"), "first"))
	inWriter(t, s, func(_ context.Context, w *writer) error {
		almostOver := func() error {
			w.until = time.Now().Add(s.opts.Timeout)
			return nil
		}
		s.beforeSend = almostOver // after the look at the lease
		heard.heard()
		return almostOver()
	})
	commit(t, s, whole(get(t, s, "a"), "second"))
	names := writes(heard.heard())
	sent := 0
	for i, name := range names {
		if name == "update lock" {
			continue
		}
		if sent++; i == 0 || names[i-1] != "update lock" {
			t.Errorf("%s was sent while the lease ran out: %v", name, names)
		}
	}
	if sent < 5 {
		t.Errorf("only %v were heard", names)
	}
}

// The lease counts from before the call that takes or renews it, since another
// master may have seen its effect from then on.
func TestLeaseCountsFromBefore(t *testing.T) {
	t.Parallel()
	s, heard := listenedTo(t, testURI)
	for what, extend := range map[string]func(w *writer) func(context.Context) error{
		"update": func(w *writer) func(context.Context) error { return w.renew },
		"insert": func(w *writer) func(context.Context) error {
			return func(ctx context.Context) error { return w.claim(ctx, &lockRow{Epoch: w.epoch}) }
		},
	} {
		inWriter(t, s, func(_ context.Context, w *writer) error {
			if err := w.bounded(extend(w)); err != nil {
				return err
			}
			if latest := last(t, heard.heard(), what, "lock").at.Add(s.opts.Lease); w.until.After(latest) {
				t.Errorf("by the %s of lock the lease runs %s too long", what, w.until.Sub(latest))
			}
			return nil
		})
	}
}

// claimsOf is the lock collection of a database, as somebody else sees it.
func claimsOf(t *testing.T, database string) *mongo.Collection {
	t.Helper()
	observer, err := openAt(t, testURI, testDatabase(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return observer.client.Database(database).Collection("lock")
}

// The former holder shows life just before the claim: the new one gives it
// another lease's time to notice.
func TestF25LifeBeforeTheClaim(t *testing.T) {
	t.Parallel()
	database := testDatabase(t)
	old, err := openAt(t, testURI, database, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	crash(t, old)
	lock := claimsOf(t, database)
	beat := sync.OnceFunc(func() {
		if _, err := lock.UpdateOne(t.Context(), bson.M{"_id": int64(1)}, bson.M{"$set": bson.M{"beat": int64(1000)}}); err != nil {
			t.Error(err)
		}
	})
	heard := &wire{before: func(c call) {
		if c.name == "insert" && c.in == "lock" {
			beat()
		}
	}}
	began := time.Now()
	if _, err := openWith(t, Options{URI: testURI, Database: database, Dir: t.TempDir(), monitor: heard.monitor()}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*shortLease {
		t.Errorf("the new master writes after %s", took)
	}
}

// A master that dies before it has outlasted the former one, or stops, leaves that
// to the next.
func TestF25DeathBeforeTheOtherIsOutlasted(t *testing.T) {
	t.Parallel()
	for end, released := range map[string]bool{"killed": false, "stopped": true} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			database, dir := testDatabase(t), t.TempDir()
			s, err := openAt(t, testURI, database, dir)
			if err != nil {
				t.Fatal(err)
			}
			crash(t, s)
			lock := claimsOf(t, database)
			another := lockRow{Epoch: 0, Owner: "another", Instance: "its", Holder: "another", Lease: shortLease.Milliseconds(), Beat: 7}
			if _, err = lock.InsertOne(t.Context(), another); err == nil {
				_, err = lock.UpdateMany(t.Context(), bson.M{"owner": s.owner}, bson.M{"$set": bson.M{"released": released}})
			}
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if s, err = openAt(t, testURI, database, dir); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < shortLease {
				t.Errorf("the next master writes after %s", took)
			}
			if n, err := lock.CountDocuments(t.Context(), bson.M{"owner": "another"}); err != nil || n != 0 {
				t.Errorf("%d claims of the former master are left, %v", n, err)
			}
			crash(t, s)
		})
	}
}

// After a crash the master of the same folder starts at once; one with a copy of
// the folder is another one.
func TestF25SameFolder(t *testing.T) {
	t.Parallel()
	database, dir, copied := testDatabase(t), t.TempDir(), t.TempDir()
	for n, next := range []struct {
		dir  string
		wait bool
	}{{dir, false}, {dir, false}, {copied, true}} {
		began := time.Now()
		s, err := openAt(t, testURI, database, next.dir)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took >= shortLease != next.wait {
			t.Errorf("start %d took %s, of a lease of %s", n, took, shortLease)
		}
		crash(t, s)
		secret, err := os.ReadFile(filepath.Join(dir, ownerFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, ownerFile), secret, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Inserts of a former master that come late are undone for two leases; what is
// this one's stays.
func TestF25LateInserts(t *testing.T) {
	t.Parallel()
	database, dir := testDatabase(t), t.TempDir()
	first, err := openAt(t, testURI, database, dir)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, first, insert(newTask("former")))
	crash(t, first)
	began := time.Now()
	s, err := openAt(t, testURI, database, dir)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, insert(newTask("own")))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for ; time.Since(began) < 2*shortLease-50*time.Millisecond; n++ {
		late := insert(newTask(fmt.Sprintf("late%03d", n)))
		if _, err := s.in.tasks.InsertOne(t.Context(), (&taskWrite{w: late}).row(s.base-1, nil)); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) > 2*shortLease { // a slow server's: perhaps too late to be undone
			if _, err := s.in.tasks.DeleteOne(t.Context(), bson.M{"_id": late.Task.ID}); err != nil {
				t.Fatal(err)
			}
		}
		<-tick.C
	}
	await(t, 10*time.Second, func() error {
		ids, err := s.TasksWithPrefix(t.Context(), "", "", 100)
		if err == nil && fmt.Sprint(ids) != "[former own]" {
			err = fmt.Errorf("of %d late inserts are left %v", n, ids)
		}
		return err
	})
}

// What an outage has left goes, apart from what stands for a deleted task whose
// key counts.
func TestGravesGo(t *testing.T) {
	database, dir := testDatabase(t), t.TempDir()
	s := open(t, database, dir)
	keyed := insert(newTask("keyed"))
	name := db.KeyName{UserID: "u1", Route: "r", Key: "k"}
	keyed.Key = &db.Key{Name: name, TaskID: "keyed", StoredAt: time.Unix(1, 0).UTC(), ExpiresAt: time.Unix(1<<33, 0).UTC()}
	commit(t, s, keyed)
	if err := s.DeleteTasks(t.Context(), []db.TaskVersion{{ID: "keyed", Version: 1}})[0]; err != nil {
		t.Fatal(err)
	}
	inWriter(t, s, func(ctx context.Context, w *writer) error { return w.bury(ctx, s.in.tasks, []string{"grave"}) })
	crash(t, s)
	s = open(t, database, dir)
	inWriter(t, s, func(ctx context.Context, w *writer) error {
		w.rescanUntil = time.Now()
		return w.rescan(ctx)
	})
	if n, err := s.in.tasks.CountDocuments(t.Context(), bson.M{"_id": "grave"}); n != 0 || err != nil {
		t.Errorf("%d graves are left, %v", n, err)
	}
	if _, err := s.Key(t.Context(), name); err != nil {
		t.Errorf("the key of a deleted task: %v", err)
	}
}

// What another program has made of a task is not written over.
func TestForeignWrite(t *testing.T) {
	for field, value := range map[string]int64{"version": 7, "epoch": 9} {
		s := open(t, testDatabase(t), t.TempDir())
		commit(t, s, insert(newTask("a")))
		a := get(t, s, "a")
		if _, err := s.in.tasks.UpdateOne(t.Context(), bson.M{"_id": "a"}, bson.M{"$set": bson.M{field: value}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), []db.Write{update(a, "over it")})[0]; !errors.Is(err, db.ErrVersion) {
			t.Errorf("a write over another %s: %v", field, err)
		}
	}
}
