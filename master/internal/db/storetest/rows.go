package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func testResults(t *testing.T, b Backend) {
	s := b.Open(t)
	task := queued("a", base)
	put(t, s, task)
	samples := map[int][]cluster.UsageSample{ // nil of attempt 1
		2:  {},
		10: {{Time: minute(1), CPU: 0.1 + 0.2, Memory: 512}, {}, {Time: time.Unix(0, 0).UTC(), Memory: math.MaxFloat64}, {CPU: 2}},
	}
	var want []db.Result
	for _, attempt := range []int{10, 2, 1} {
		w := update(get(t, s, "a"))
		code := attempt
		w.Result = &db.Result{
			Ref:      cluster.AttemptRef{TaskID: "a", Attempt: attempt, Lease: "l"},
			WorkerID: "w1", Outcome: cluster.OutcomeFailed, ExitCode: &code, Failure: cluster.FailureExit,
			Message: "why", StoredAt: minute(attempt), Usage: cluster.Usage{CPUSeconds: 1.5, LogBytes: 7},
			Samples: samples[attempt],
		}
		must(t, s, w)
		want = append(want, *w.Result)
	}
	slices.Reverse(want)
	got, err := s.TaskResults(t.Context(), "a")
	isErr(t, "results", err, nil)
	same(t, "results", got, want)
}

func testFiles(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	files := func() []cluster.File {
		t.Helper()
		rows, err := s.TaskFiles(ctx, "a")
		isErr(t, "files", err, nil)
		return rows
	}
	put(t, s, queued("a", base))
	if got := files(); len(got) != 0 {
		t.Errorf("files before any are published: %v", got)
	}
	publish := func(attempt int, rows ...cluster.File) {
		w := update(get(t, s, "a"))
		w.Task.Files = cluster.FilesSummary{Attempt: attempt, Count: len(rows)}
		w.Files = rows
		if rows == nil {
			w.Files = []cluster.File{}
		}
		must(t, s, w)
	}
	one := []cluster.File{{Path: "b/c", Size: 1 << 40, SHA256: "aa", ContentType: "text/plain"}, {Path: "b", Size: 0}, {Path: "Z"}}
	publish(1, one...)
	slices.SortFunc(one, func(x, y cluster.File) int { return slices.Compare([]byte(x.Path), []byte(y.Path)) })
	same(t, "by path", files(), one)
	publish(2, cluster.File{Path: "two"})
	same(t, "of the second attempt", files(), []cluster.File{{Path: "two"}})

	back := update(get(t, s, "a"))
	back.Task.Files.Attempt = 1 // the rows of the first are still there
	must(t, s, back)
	same(t, "of the first attempt again", files(), one)
	publish(1, cluster.File{Path: "replaced"})
	same(t, "replaced", files(), []cluster.File{{Path: "replaced"}})
	publish(1)
	if got := files(); len(got) != 0 {
		t.Errorf("an empty list left %v", got)
	}
	publish(2, cluster.File{Path: "two"})
	gone := update(get(t, s, "a"))
	gone.Task.Files.Deleted = true
	must(t, s, gone)
	if got := files(); len(got) != 0 {
		t.Errorf("deleted files are still there: %v", got)
	}
	none := update(get(t, s, "a"))
	none.Task.Files = cluster.FilesSummary{}
	must(t, s, none)
	if got := files(); len(got) != 0 {
		t.Errorf("files of no attempt: %v", got)
	}
}

func testListFiles(t *testing.T, b Backend) {
	s := b.Open(t)
	summary := cluster.FilesSummary{Attempt: 1, Count: 1, TotalSize: 3}
	var want []cluster.TaskID
	for i := range 7 {
		task := succeeded(running(assigned(queued(fmt.Sprintf("ok%d", i), minute(i/2)), "w1", base), base), summary, base)
		put(t, s, task)
		want = append(want, task.ID)
	}
	theirs := queued("theirs", minute(9))
	theirs.UserID = "u2"
	put(t, s, succeeded(running(assigned(theirs, "w1", base), base), summary, base))
	empty, deleted := summary, summary
	empty.Count, deleted.Deleted = 0, true
	for id, f := range map[string]cluster.FilesSummary{"empty": empty, "deleted": deleted, "none": {}} {
		put(t, s, succeeded(running(assigned(queued(id, base), "w1", base), base), f, base))
	}
	early := running(assigned(queued("early", base), "w1", base), base)
	early.Files = summary
	put(t, s, early)

	want = []cluster.TaskID{want[6], want[4], want[5], want[2], want[3], want[0], want[1]}
	list := func(user cluster.UserID, limit int) []cluster.TaskID {
		return taskIDs(pages(t, limit, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
			return s.ListFiles(ctx, user, p)
		}))
	}
	for limit := 1; limit <= 9; limit++ {
		same(t, "own", list("u1", limit), want)
		same(t, "everyone's", list("", limit), append([]cluster.TaskID{"theirs"}, want...))
	}
	gone := get(t, s, "ok3")
	gone.Files.Deleted = true
	must(t, s, update(gone))
	same(t, "after a deletion", list("u1", 3), slices.DeleteFunc(want, func(id cluster.TaskID) bool { return id == "ok3" }))
	same(t, "rows", get(t, s, "ok4").Files, summary)
}

func testWorkers(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	list := func() []cluster.Worker {
		t.Helper()
		all, err := s.ListWorkers(ctx)
		isErr(t, "workers", err, nil)
		return all
	}
	second := cluster.Worker{ID: "w2", Address: "host:1", Labels: map[string]string{}, RegisteredAt: minute(1)}
	tenth := cluster.Worker{ID: "w10", Labels: map[string]string{"gpu": "yes"}, Total: cluster.Resources{CPU: 1.5, Memory: 3, Storage: 4, GPU: 5}}
	for _, w := range []cluster.Worker{second, tenth} {
		isErr(t, "put", s.PutWorker(ctx, w), nil)
	}
	same(t, "by id", list(), []cluster.Worker{tenth, second})
	second.Draining, second.LeftUntil = true, minute(5)
	isErr(t, "put again", s.PutWorker(ctx, second), nil)
	same(t, "the last write wins", list(), []cluster.Worker{tenth, second})
	isErr(t, "delete", s.DeleteWorker(ctx, "w10"), nil)
	isErr(t, "delete again", s.DeleteWorker(ctx, "w10"), nil)
	same(t, "after a delete", list(), []cluster.Worker{second})
}

func testMeta(t *testing.T, b Backend) {
	s := b.Open(t)
	for range 2 {
		for name, value := range map[string]string{"cluster_id": "c1", "": "no name", "empty": ""} {
			got, err := s.MetaOnce(t.Context(), name, value)
			if err != nil || got != value {
				t.Errorf("meta %q: %q, %v", name, got, err)
			}
		}
		got, err := s.MetaOnce(t.Context(), "cluster_id", "c2")
		if err != nil || got != "c1" {
			t.Errorf("second value: %q, %v; the first one stays", got, err)
		}
		got, err = s.MetaOnce(t.Context(), "empty", "full")
		if err != nil || got != "" {
			t.Errorf("an empty value is a value too: %q, %v", got, err)
		}
		isErr(t, "close", s.Close(), nil)
		s = b.Open(t)
	}
}

func testMetaRace(t *testing.T, b Backend) {
	s := b.Open(t)
	var got [racers]string
	race(func(i int) {
		var err error
		if got[i], err = s.MetaOnce(t.Context(), "id", fmt.Sprint(i)); err != nil {
			t.Error(err)
		}
	})
	for i := range got {
		if got[i] != got[0] || got[i] == "" {
			t.Errorf("racers saw %q", got)
			return
		}
	}
}
