package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// wholeWrite is the first write of a finished task with everything beside it.
func wholeWrite(id string, n int) db.Write {
	task := assigned(queued(id, minute(n)), "w1", minute(n))
	w := insert(succeeded(running(task, minute(n)), cluster.FilesSummary{Attempt: 1, Count: 1, TotalSize: 3}, minute(n+1)))
	ref := cluster.AttemptRef{TaskID: w.Task.ID, Attempt: 1, Lease: task.Lease}
	w.Assignment = &db.Assignment{Ref: ref, WorkerID: "w1", AssignedAt: minute(n)}
	w.Result = &db.Result{Ref: ref, WorkerID: "w1", Outcome: cluster.OutcomeSuccess, StoredAt: minute(n + 1)}
	w.Files = []cluster.File{{Path: "out", Size: 3, SHA256: "aa", ContentType: "text/plain"}}
	w.Key = keyFor(w.Task.ID, "key of "+id)
	return w
}

// testDeleteTasks: with a task goes all that belongs to it, and nothing else;
// a row that is not as its reader saw it stays whole.
func testDeleteTasks(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	gone, stays := wholeWrite("gone", 0), wholeWrite("stays", 5)
	must(t, s, gone, stays)
	errs := s.DeleteTasks(ctx, []db.TaskVersion{
		{ID: "gone", Version: 2}, {ID: "nobody", Version: 1}, {ID: "gone", Version: 1}, {ID: "gone", Version: 1}, {ID: "stays"},
	})
	for i, want := range []error{db.ErrVersion, db.ErrVersion, nil, db.ErrVersion, db.ErrVersion} {
		isErr(t, fmt.Sprintf("answer %d", i), errs[i], want)
	}
	if got := s.DeleteTasks(ctx, nil); len(got) != 0 {
		t.Errorf("no rows are answered %v", got)
	}
	check := func(s db.Store) {
		t.Helper()
		_, err := s.Task(ctx, "gone")
		isErr(t, "the task", err, cluster.ErrNotFound)
		_, err = s.TaskFiles(ctx, "gone")
		isErr(t, "its files", err, cluster.ErrNotFound)
		results, err := s.TaskResults(ctx, "gone")
		if err != nil || len(results) != 0 {
			t.Errorf("its results: %v, %v", results, err)
		}
		attempts, _, err := s.WorkerAttempts(ctx, "w1", cluster.Page{Limit: 9})
		isErr(t, "attempts", err, nil)
		same(t, "attempts", attempts, []db.Assignment{*stays.Assignment})
		same(t, "all", listIDs(t, s, cluster.TaskFilter{}, 9), []cluster.TaskID{"stays"})
		same(t, "by worker", listIDs(t, s, cluster.TaskFilter{WorkerID: "w1"}, 9), []cluster.TaskID{"stays"})
		counts, err := s.CountTasks(ctx, cluster.TaskFilter{})
		if err != nil || counts[cluster.StatusSucceeded] != 1 {
			t.Errorf("counts %v, %v", counts, err)
		}
		listed, _, err := s.ListFiles(ctx, "", cluster.Page{Limit: 9})
		isErr(t, "list of files", err, nil)
		same(t, "list of files", taskIDs(listed), []cluster.TaskID{"stays"})
		checkKey(t, s, *gone.Key)
		same(t, "the other", get(t, s, "stays"), stays.Task)
		files, err := s.TaskFiles(ctx, "stays")
		isErr(t, "its files", err, nil)
		same(t, "its files", files, stays.Files)
	}
	check(s)
	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	check(s)
	isErr(t, "a write to what is gone", s.Commit(ctx, []db.Write{update(gone.Task)})[0], db.ErrVersion)
	again := insert(queued("gone", minute(9)))
	must(t, s, again) // nothing of the former one is its
	results, err := s.TaskResults(ctx, "gone")
	if err != nil || len(results) != 0 {
		t.Errorf("results of another task with the id: %v, %v", results, err)
	}
}

// testManyDeletes is one call with more rows than any backend puts into one
// transaction; what is committed with them comes to no harm, and a cursor made
// before goes on behind its place.
func testManyDeletes(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	n := amount(b, 700, 168)
	var writes []db.Write
	var rows []db.TaskVersion
	for i := range n {
		id := fmt.Sprintf("t%04d", i)
		writes = append(writes, insert(cancelled(queued(id, minute(i)), minute(i))))
		if i%7 != 0 {
			rows = append(rows, db.TaskVersion{ID: cluster.TaskID(id), Version: 1})
		}
	}
	must(t, s, writes...)
	first, next, err := s.ListTasks(ctx, cluster.TaskFilter{}, cluster.Page{Limit: 50})
	if err != nil || len(first) != 50 {
		t.Fatalf("%d tasks, %v", len(first), err)
	}
	for i, err := range s.DeleteTasks(ctx, rows) {
		isErr(t, string(rows[i].ID), err, nil)
	}
	var want []cluster.TaskID
	for i := 0; i < n; i += 7 {
		want = append([]cluster.TaskID{cluster.TaskID(fmt.Sprintf("t%04d", i))}, want...)
	}
	same(t, "what is left", listIDs(t, s, cluster.TaskFilter{}, 40), want)
	rest, _, err := s.ListTasks(ctx, cluster.TaskFilter{}, cluster.Page{Limit: n, After: next})
	isErr(t, "the next page", err, nil)
	behind := slices.IndexFunc(want, func(id cluster.TaskID) bool { return string(id) < next.ID })
	same(t, "the next page", taskIDs(rest), want[behind:])
}

// testDeleteRace: of deletes and writes of one version one wins, and the task
// is then as that one says.
func testDeleteRace(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	for round := range 10 {
		id := fmt.Sprintf("t%d", round)
		put(t, s, cancelled(queued(id, base), base))
		now := get(t, s, cluster.TaskID(id))
		var deleted atomic.Bool
		onlyOneWins(t, "version 1", func(i int) error {
			if i%2 == 0 {
				w := update(now)
				w.Task.Files.Deleted = true
				return s.Commit(ctx, []db.Write{w})[0]
			}
			err := s.DeleteTasks(ctx, []db.TaskVersion{{ID: now.ID, Version: 1}})[0]
			if err == nil {
				deleted.Store(true)
			}
			return err
		})
		_, err := s.Task(ctx, now.ID)
		if deleted.Load() {
			isErr(t, "a deleted task", err, cluster.ErrNotFound)
		} else {
			isErr(t, "a changed task", err, nil)
		}
	}
}
