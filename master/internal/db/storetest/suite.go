package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Backend is one place where a store keeps its data, empty when the suite gets
// it. It is used by one test and one goroutine.
type Backend interface {
	// Open opens the store on the data; again after the store it gave before
	// has been closed or crashed, as a restarted master would. The backend
	// closes what is left open when the test ends.
	Open(t testing.TB) db.Store
}

// Crasher is a Backend that can end a store as a power cut does.
type Crasher interface {
	// Crash leaves the open store as it is and lets the next Open see only
	// what had reached the disk.
	Crash(t testing.TB)
}

// Slow is a Backend whose server is so slow that the suite does less of
// everything. What is shown is the same.
type Slow interface{ Slow() bool }

// amount is how much of something a test does.
func amount(b Backend, full, slow int) int {
	if s, ok := b.(Slow); ok && s.Slow() {
		return slow
	}
	return full
}

// Run holds a backend against the contract of db.Store.
func Run(t *testing.T, newBackend func(*testing.T) Backend) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBackend(t)
			if raceDetector && amount(b, 0, 1) == 1 && !tt.races {
				t.Skip("one goroutine, a slow server and the race detector: shown without the detector")
			}
			tt.run(t, b)
		})
	}
}

// tests are the suite; those that race are of use to the race detector.
var tests = []struct {
	name  string
	run   func(t *testing.T, b Backend)
	races bool
}{
	{"empty", testEmpty, false},
	{"round trip", testRoundTrip, false},
	{"every field", testEveryField, false},
	{"awkward strings", testAwkwardStrings, false},
	{"durable", testDurable, false},
	{"compare and set", testCompareAndSet, false},
	{"answers per item", testAnswersPerItem, false},
	{"refused writes", testRefusedWrites, false},
	{"all or nothing", testAllOrNothing, false},
	{"many writes at once", testManyWrites, false},
	{"delete tasks", testDeleteTasks, false},
	{"many deletes at once", testManyDeletes, false},
	{"race of delete and write", testDeleteRace, true},
	{"race for a version", testVersionRace, true},
	{"race for an insert", testInsertRace, true},
	{"concurrent use", testConcurrentUse, true},
	{"cancelled context", testCancelled, true},
	{"closed", testClosed, true},
	{"active tasks", testActive, false},
	{"active tasks while they change", testActiveChanging, true},
	{"list order", testListOrder, false},
	{"list stable under inserts", testListStable, false},
	{"list of large tasks", testListLarge, false},
	{"list stable under deletes", testListShrinks, false},
	{"each filter", testEachFilter, false},
	{"random filters", testRandomFilters, false},
	{"limits", testLimits, false},
	{"prefixes", testPrefixes, false},
	{"worker attempts", testWorkerAttempts, false},
	{"results", testResults, false},
	{"files", testFiles, false},
	{"list files", testListFiles, false},
	{"keys", testKeys, false},
	{"keys of refused writes", testKeysRefused, false},
	{"keys that run out", testKeysExpire, false},
	{"keys of no task", testKeysAlone, false},
	{"race for a key", testKeyRace, true},
	{"workers", testWorkers, false},
	{"users", testUsers, false},
	{"delete a user", testDeleteUser, false},
	{"tokens", testTokens, false},
	{"awkward tokens", testAwkwardTokens, false},
	{"sessions", testSessions, false},
	{"audit", testAudit, true},
	{"awkward audit", testAwkwardAudit, false},
	{"audit with tasks", testAuditWithTasks, false},
	{"audit by age", testAuditRemoval, false},
	{"meta", testMeta, false},
	{"race for meta", testMetaRace, true},
	{"every call fails in turn", testEveryCallFails, false},
	{"many tasks", testManyTasks, false},
}

// base is when the suite's tasks begin to be created.
var base = time.Date(2026, 2, 3, 4, 5, 6, 789_012_345, time.UTC)

// minute is a time n minutes after base.
func minute(n int) time.Time { return base.Add(time.Duration(n) * time.Minute) }

// must commits writes that have to succeed.
func must(t testing.TB, s db.Store, writes ...db.Write) {
	t.Helper()
	for i, err := range s.Commit(t.Context(), writes) {
		if err != nil {
			t.Fatalf("commit of task %s: %v", writes[i].Task.ID, err)
		}
	}
}

// insert is the first write of a task.
func insert(task cluster.Task) db.Write {
	task.Version = 1
	return db.Write{Task: task}
}

// update is the write that follows what is stored.
func update(task cluster.Task) db.Write {
	w := db.Write{Task: task, Expect: task.Version}
	w.Task.Version++
	return w
}

// put inserts tasks as they are.
func put(t testing.TB, s db.Store, tasks ...cluster.Task) {
	t.Helper()
	writes := make([]db.Write, len(tasks))
	for i, task := range tasks {
		writes[i] = insert(task)
	}
	must(t, s, writes...)
}

// get reads a task that has to be there.
func get(t testing.TB, s db.Store, id cluster.TaskID) cluster.Task {
	t.Helper()
	task, err := s.Task(t.Context(), id)
	if err != nil {
		t.Fatalf("task %q: %v", id, err)
	}
	return task
}

// same compares what was read with what was written.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return // most often, and much faster
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// isErr checks an error's kind.
func isErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// pages reads a list to its end in pages of the given size.
func pages[T any](t testing.TB, limit int, read func(context.Context, cluster.Page) ([]T, cluster.Cursor, error)) []T {
	t.Helper()
	var all []T
	page := cluster.Page{Limit: limit}
	for {
		rows, next, err := read(t.Context(), page)
		if err != nil {
			t.Fatalf("page after %+v: %v", page.After, err)
		}
		if len(rows) > limit || len(rows) == 0 && !next.IsZero() {
			t.Fatalf("page after %+v: %d rows at limit %d, next %+v", page.After, len(rows), limit, next)
		}
		all = append(all, rows...)
		if next.IsZero() {
			return all
		}
		page.After = next
	}
}

// listIDs reads the ids of a whole filtered list.
func listIDs(t testing.TB, s db.Store, filter cluster.TaskFilter, limit int) []cluster.TaskID {
	t.Helper()
	return taskIDs(pages(t, limit, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
		return s.ListTasks(ctx, filter, p)
	}))
}

func taskIDs(tasks []cluster.Task) []cluster.TaskID {
	ids := make([]cluster.TaskID, len(tasks))
	for i, task := range tasks {
		ids[i] = task.ID
	}
	return ids
}
