package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/mongodb/mongotest"
)

// Short times, so that an outage is over in a moment.
const (
	shortLease   = 1500 * time.Millisecond
	shortTimeout = 500 * time.Millisecond
)

func openAt(t testing.TB, uri, database, dir string) (*Store, error) {
	t.Helper()
	return openWith(t, Options{URI: uri, Database: database, Dir: dir})
}

// openTries is how often a store is opened while the server, which other tests
// starve of processors, does not answer within the short times.
const openTries = 5

// openWith opens a store with the short times, but for those that are given.
func openWith(t testing.TB, opts Options) (s *Store, err error) {
	t.Helper()
	opts.Lease, opts.Timeout = cmp.Or(opts.Lease, shortLease), cmp.Or(opts.Timeout, shortTimeout)
	for range openTries {
		s, err = Open(t.Context(), opts)
		if !errors.Is(err, db.ErrOutcomeUnknown) && !errors.Is(err, db.ErrUnavailable) {
			break
		}
	}
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	return s, err
}

// throughProxy opens a store whose network can be spoilt.
func throughProxy(t testing.TB, database string, lease time.Duration) (*Store, *mongotest.Proxy) {
	t.Helper()
	address, ok := strings.CutPrefix(testURI, "mongodb://")
	address = strings.TrimSuffix(address, "/")
	if !ok || strings.ContainsAny(address, "/@,?") {
		t.Skipf("%s names more than one address; this test puts itself before one", uriEnv)
	}
	p, err := mongotest.NewProxy(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := openWith(t, Options{URI: p.URI(), Database: database, Dir: t.TempDir(), Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

func newTask(id string) cluster.Task {
	return cluster.NewTask(cluster.TaskID(id), "u1", cluster.Spec{Image: "busybox", Name: id}, time.Unix(1_700_000_000, 0).UTC())
}

func insert(task cluster.Task) db.Write {
	task.Version = 1
	return db.Write{Task: task}
}

func update(task cluster.Task, message string) db.Write {
	w := db.Write{Task: task, Expect: task.Version}
	w.Task.Version++
	w.Task.Message = message
	return w
}

func commit(t testing.TB, s db.Store, writes ...db.Write) {
	t.Helper()
	for i, err := range s.Commit(t.Context(), writes) {
		if err != nil {
			t.Fatalf("task %s: %v", writes[i].Task.ID, err)
		}
	}
}

func get(t testing.TB, s db.Store, id cluster.TaskID) cluster.Task {
	t.Helper()
	task, err := s.Task(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// await tries until there is no error.
func await(t testing.TB, limit time.Duration, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %s: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// A write that hangs in the network is carried out long after its outcome was
// asked for. It must miss, however the answer was.
func TestF25LateWrite(t *testing.T) {
	t.Parallel()
	// A long lease: no sign of life is under way when the network holds back, or it
	// would be the one that hangs, and the write refused behind it.
	s, network := throughProxy(t, testDatabase(t), time.Minute)
	commit(t, s, insert(newTask("there")))
	if err := s.PutWorker(t.Context(), cluster.Worker{ID: "w", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	there := get(t, s, "there")
	network.Hold()
	for i, err := range s.Commit(t.Context(), []db.Write{insert(newTask("late")), update(there, "late")}) {
		if !errors.Is(err, db.ErrOutcomeUnknown) {
			t.Fatalf("write %d that hangs answers %v", i, err)
		}
	}
	// Once it is known, it is known for good.
	await(t, 10*time.Second, func() error {
		if _, err := s.Task(t.Context(), "late"); !errors.Is(err, cluster.ErrNotFound) {
			return fmt.Errorf("the late task: %w", err)
		}
		return nil
	})
	check := func(when string) {
		t.Helper()
		if _, err := s.Task(t.Context(), "late"); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("%s: the late insert: %v", when, err)
		}
		if now := get(t, s, "there"); now.Version != 1 || now.Message != "" {
			t.Errorf("%s: the late update: version %d, %q", when, now.Version, now.Message)
		}
		list, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 9})
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %d tasks listed, %v", when, len(list), err)
		}
	}
	check("before")
	network.Release()
	// The server has the late bytes now; it has carried them out when it has
	// answered this often after them.
	for range 20 {
		check("after")
	}
	commit(t, s, insert(newTask("late")), update(there, "in time"))
	if now := get(t, s, "there"); now.Message != "in time" {
		t.Errorf("the next update is %q", now.Message)
	}
	get(t, s, "late")
}

// While the server is away nothing is acknowledged, and what was is there when
// it is back.
func TestF25Away(t *testing.T) {
	t.Parallel()
	s, network := throughProxy(t, testDatabase(t), shortLease)
	commit(t, s, insert(newTask("before")))
	network.Cut()
	for n := range 3 {
		err := s.Commit(t.Context(), []db.Write{insert(newTask(fmt.Sprint("away", n)))})[0]
		if !errors.Is(err, db.ErrUnavailable) && !errors.Is(err, db.ErrOutcomeUnknown) {
			t.Errorf("while away: %v", err)
		}
		if _, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 1}); !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("while away: %v", err)
		}
	}
	time.Sleep(shortLease) // the lease has run out by itself
	network.Heal()
	await(t, 10*time.Second, func() error {
		err := s.Commit(t.Context(), []db.Write{insert(newTask("after"))})[0]
		if errors.Is(err, db.ErrVersion) { // by a try whose outcome was unknown
			return nil
		}
		return err
	})
	get(t, s, "before")
	get(t, s, "after")
	for n := range 3 {
		if _, err := s.Task(t.Context(), cluster.TaskID(fmt.Sprint("away", n))); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("refused task %d: %v", n, err)
		}
	}
	commit(t, s, update(get(t, s, "before"), "goes on"))
}

// A second master does not start while the first one lives, and is told who
// that is.
func TestF25SecondMaster(t *testing.T) {
	t.Parallel()
	database := testDatabase(t)
	first, err := openAt(t, testURI, database, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, testURI, database, t.TempDir())
	if !errors.Is(err, db.ErrLocked) || !strings.Contains(err.Error(), first.opts.Dir) {
		t.Errorf("a second master: %v", err)
	}
	if _, err = openAt(t, testURI, database, first.opts.Dir); !errors.Is(err, db.ErrLocked) {
		t.Errorf("a second master on the same folder: %v", err)
	}
	commit(t, first, insert(newTask("a")))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	second, err := openAt(t, testURI, database, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > shortLease {
		t.Errorf("after an orderly end the next one waited %s", took)
	}
	get(t, second, "a")
}

// A master that is cut off for longer than its lease finds another one in its
// place and writes nothing any more.
func TestF25TakenOver(t *testing.T) {
	t.Parallel()
	database := testDatabase(t)
	old, network := throughProxy(t, database, shortLease)
	commit(t, old, insert(newTask("a")), insert(newTask("b")))
	network.Cut()
	cut := time.Now()
	young, err := openAt(t, testURI, database, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(cut); took < shortLease {
		t.Errorf("taken over after %s, before the lease of %s was over", took, shortLease)
	}
	a := get(t, young, "a")
	commit(t, young, update(a, "young"))
	late := newTask("late")
	late.Version = 1
	row := (&taskWrite{w: db.Write{Task: late}}).row(young.base-1, nil)
	if _, err := young.in.tasks.InsertOne(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	network.Heal()
	await(t, 10*time.Second, func() error {
		for i, err := range old.Commit(t.Context(), []db.Write{update(a, "old"), insert(newTask("c"))}) {
			if !errors.Is(err, db.ErrLocked) {
				return fmt.Errorf("write %d of the old master: %w", i, err)
			}
		}
		return nil
	})
	select {
	case err := <-old.Lost():
		if !errors.Is(err, db.ErrLocked) || !strings.Contains(err.Error(), young.opts.Dir) {
			t.Errorf("lost: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the old master is not told that it has lost the lease")
	}
	if now := get(t, young, "a"); now.Message != "young" {
		t.Errorf("the task is %q", now.Message)
	}
	var seen []cluster.TaskID
	err = young.ActiveTasks(t.Context(), func(task cluster.Task) error {
		seen = append(seen, task.ID)
		return nil
	})
	if err != nil || fmt.Sprint(seen) != "[a b]" {
		t.Errorf("active: %v, %v", seen, err)
	}
	await(t, 10*time.Second, func() error {
		if _, err := young.Task(t.Context(), "late"); !errors.Is(err, cluster.ErrNotFound) {
			return fmt.Errorf("a late insert of the old master: %w", err)
		}
		return nil
	})
	commit(t, young, update(get(t, young, "b"), "goes on"))
}

// whole is a write to every collection that belongs to a task.
func whole(task cluster.Task, lease string) db.Write {
	ref := cluster.AttemptRef{TaskID: task.ID, Attempt: 1, Lease: lease}
	w := db.Write{
		Task: task, Expect: task.Version,
		Assignment: &db.Assignment{Ref: ref, WorkerID: "w", AssignedAt: time.Unix(1, 0).UTC()},
		Result:     &db.Result{Ref: ref, WorkerID: "w", Message: lease},
		Files:      []cluster.File{{Path: lease, Size: 1}},
	}
	w.Task.Version++
	w.Task.Files = cluster.FilesSummary{Attempt: 1, Count: 1}
	return w
}

// The master dies between any two calls to the server: all of a write is there
// afterwards, or nothing.
func TestCrashBetweenCalls(t *testing.T) {
	database, dir := testDatabase(t), t.TempDir()
	died := errors.New("the process has died here")
	for n := 1; ; n++ {
		s := open(t, database, dir)
		id := cluster.TaskID(fmt.Sprint("t", n))
		commit(t, s, insert(newTask(string(id))))
		commit(t, s, whole(get(t, s, id), "first"))
		calls := 0
		s.beforeSend = func() error {
			if calls++; calls >= n {
				return died
			}
			return nil
		}
		err := s.Commit(t.Context(), []db.Write{whole(get(t, s, id), "second")})[0]
		if closed := s.Close(); closed != nil {
			t.Fatal(closed)
		}
		s = open(t, database, dir)
		want := "first"
		if err == nil {
			want = "second"
		}
		checkWhole(t, s, id, want)
		if closed := s.Close(); closed != nil {
			t.Fatal(closed)
		}
		if calls < n { // it came to its end
			if n < 5 {
				t.Errorf("only %d calls", calls)
			}
			return
		}
	}
}

func checkWhole(t testing.TB, s *Store, id cluster.TaskID, want string) {
	t.Helper()
	files, err := s.TaskFiles(t.Context(), id)
	if err != nil || len(files) != 1 || files[0].Path != want {
		t.Errorf("task %s: files %v, %v; want %s", id, files, err, want)
	}
	results, err := s.TaskResults(t.Context(), id)
	if err != nil || len(results) != 1 || results[0].Message != want {
		t.Errorf("task %s: results %v, %v; want %s", id, results, err, want)
	}
	attempts, _, err := s.WorkerAttempts(t.Context(), "w", cluster.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var leases []string
	for _, a := range attempts {
		if a.Ref.TaskID == id {
			leases = append(leases, a.Ref.Lease)
		}
	}
	if fmt.Sprint(leases) != "["+want+"]" {
		t.Errorf("task %s: assignments %v; want %s", id, leases, want)
	}
}
