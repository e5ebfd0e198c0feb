package storetest

import (
	"fmt"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func testCompareAndSet(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	one := queued("a", base)
	put(t, s, one)
	one.Version = 1
	again := queued("a", minute(1))
	isErr(t, "second insert", s.Commit(ctx, []db.Write{insert(again)})[0], db.ErrVersion)
	same(t, "after a second insert", get(t, s, "a"), one)

	two := assigned(one, "w1", minute(1))
	must(t, s, update(two))
	two.Version = 2
	isErr(t, "update of an old version", s.Commit(ctx, []db.Write{update(one)})[0], db.ErrVersion)
	ahead := two
	ahead.Version = 5
	isErr(t, "update of a later version", s.Commit(ctx, []db.Write{update(ahead)})[0], db.ErrVersion)
	absent := queued("b", base)
	absent.Version = 1
	isErr(t, "update of an absent task", s.Commit(ctx, []db.Write{update(absent)})[0], db.ErrVersion)
	same(t, "at the end", get(t, s, "a"), two)
	_, err := s.Task(ctx, "b")
	isErr(t, "the absent task", err, cluster.ErrNotFound)
}

// testAnswersPerItem mixes good and bad writes in one Commit, in which later
// ones build on earlier ones.
func testAnswersPerItem(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, queued("there", base))
	there := get(t, s, "there")
	first := insert(queued("new", base))
	second := update(assigned(first.Task, "w1", minute(1)))
	stale := update(assigned(first.Task, "w2", minute(2)))
	writes := []db.Write{
		first, insert(queued("there", base)), second,
		{Task: queued("bad", base), Expect: 7},
		stale, update(assigned(there, "w1", minute(1))),
		insert(queued("last", base)),
	}
	want := []error{nil, db.ErrVersion, nil, cluster.ErrInvalid, db.ErrVersion, nil, nil}
	errs := s.Commit(t.Context(), writes)
	if len(errs) != len(want) {
		t.Fatalf("%d answers to %d writes", len(errs), len(want))
	}
	for i := range want {
		isErr(t, fmt.Sprintf("answer %d", i), errs[i], want[i])
	}
	same(t, "new", get(t, s, "new"), second.Task)
	same(t, "there", get(t, s, "there"), writes[5].Task)
	same(t, "last", get(t, s, "last"), writes[6].Task)
	same(t, "all", listIDs(t, s, cluster.TaskFilter{}, 10), []cluster.TaskID{"last", "new", "there"})
}

func testRefusedWrites(t *testing.T, b Backend) {
	s := b.Open(t)
	good := insert(queued("a", base))
	edit := func(f func(*db.Write)) db.Write {
		w := good
		f(&w)
		return w
	}
	for name, w := range map[string]db.Write{
		"no id":             edit(func(w *db.Write) { w.Task.ID = "" }),
		"version 0":         edit(func(w *db.Write) { w.Task.Version = 0 }),
		"version jumps":     edit(func(w *db.Write) { w.Task.Version = 3 }),
		"negative":          edit(func(w *db.Write) { w.Expect, w.Task.Version = -1, 0 }),
		"other's placement": edit(func(w *db.Write) { w.Assignment = &db.Assignment{Ref: cluster.AttemptRef{TaskID: "b"}} }),
		"other's result":    edit(func(w *db.Write) { w.Result = &db.Result{Ref: cluster.AttemptRef{TaskID: "b"}} }),
		"files of nobody":   edit(func(w *db.Write) { w.Files = []cluster.File{} }),
		"file twice": edit(func(w *db.Write) {
			w.Task.Files.Attempt, w.Files = 1, []cluster.File{{Path: "x"}, {Path: "x"}}
		}),
		"other's key":      edit(func(w *db.Write) { w.Key = keyFor("b", "k") }),
		"key without name": edit(func(w *db.Write) { w.Key = keyFor("a", "") }),
		"key that is over": edit(func(w *db.Write) {
			w.Key = keyFor("a", "k")
			w.Key.ExpiresAt = w.Key.StoredAt
		}),
	} {
		isErr(t, name, s.Commit(t.Context(), []db.Write{w})[0], cluster.ErrInvalid)
	}
	if got := listIDs(t, s, cluster.TaskFilter{}, 10); len(got) != 0 {
		t.Errorf("refused writes left %v", got)
	}
}

// testAllOrNothing looks for rows that a refused write left beside its task.
func testAllOrNothing(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	task := assigned(queued("a", base), "w1", minute(1))
	whole := func(task cluster.Task, lease string) db.Write {
		task.Files = cluster.FilesSummary{Attempt: 1, Count: 1}
		ref := cluster.AttemptRef{TaskID: "a", Attempt: 1, Lease: lease}
		return db.Write{
			Task: task, Expect: task.Version - 1,
			Assignment: &db.Assignment{Ref: ref, WorkerID: "w1", AssignedAt: minute(1)},
			Result:     &db.Result{Ref: ref, WorkerID: "w1", Message: lease, StoredAt: minute(2)},
			Files:      []cluster.File{{Path: "out-" + lease, Size: 1}},
		}
	}
	task.Version = 1
	must(t, s, whole(task, "first"))
	late := task
	late.Message = "from another writer"
	for _, version := range []int64{1, 3, 9} {
		late.Version = version
		isErr(t, "late write", s.Commit(ctx, []db.Write{whole(late, "late")})[0], db.ErrVersion)
	}
	check := func(s db.Store, lease string) {
		t.Helper()
		files, err := s.TaskFiles(ctx, "a")
		isErr(t, "files", err, nil)
		same(t, "files", files, []cluster.File{{Path: "out-" + lease, Size: 1}})
		results, err := s.TaskResults(ctx, "a")
		isErr(t, "results", err, nil)
		same(t, "results", results, []db.Result{*whole(task, lease).Result})
		attempts, _, err := s.WorkerAttempts(ctx, "w1", cluster.Page{Limit: 9})
		isErr(t, "attempts", err, nil)
		same(t, "attempts", attempts, []db.Assignment{*whole(task, lease).Assignment})
	}
	check(s, "first")
	task.Version = 2
	must(t, s, whole(task, "second")) // the same attempt again: its rows are replaced
	check(s, "second")
	isErr(t, "close", s.Close(), nil)
	check(b.Open(t), "second")
}

// testManyWrites is one call with more writes than any backend puts into one
// transaction, in which each task is written twice.
func testManyWrites(t *testing.T, b Backend) {
	s := b.Open(t)
	n := amount(b, 1500, 280)
	var writes []db.Write
	for i := range n {
		w := insert(queued(fmt.Sprintf("t%04d", i), minute(i)))
		writes = append(writes, w, update(assigned(w.Task, "w1", minute(i))))
	}
	must(t, s, writes...)
	counts, err := s.CountTasks(t.Context(), cluster.TaskFilter{})
	isErr(t, "counts", err, nil)
	if counts[cluster.StatusAssigned] != n {
		t.Errorf("counts %v, want %d assigned", counts, n)
	}
	if got := listIDs(t, s, cluster.TaskFilter{}, 1000); len(got) != n {
		t.Errorf("%d tasks listed, want %d", len(got), n)
	}
}
