package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

const racers = 16

// race runs f in many goroutines that start together and waits for them.
func race(f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// onlyOneWins races for what only one may have; the others are refused.
func onlyOneWins(t testing.TB, what string, try func(i int) error) {
	t.Helper()
	var wins atomic.Int64
	race(func(i int) {
		if err := try(i); err == nil {
			wins.Add(1)
		} else {
			isErr(t, what, err, db.ErrVersion)
		}
	})
	if wins.Load() != 1 {
		t.Errorf("%d racers got %s", wins.Load(), what)
	}
}

// testVersionRace lets many writers follow the same version: one of them wins,
// and what it wrote is there.
func testVersionRace(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, queued("a", base))
	for round := range amount(b, 20, 8) {
		now := get(t, s, "a")
		var winner atomic.Int64
		winner.Store(-1)
		race(func(i int) {
			w := update(now)
			w.Task.Message = fmt.Sprintf("round %d writer %d", round, i)
			switch err := s.Commit(t.Context(), []db.Write{w})[0]; {
			case err == nil:
				if !winner.CompareAndSwap(-1, int64(i)) {
					t.Errorf("round %d: writers %d and %d both won", round, winner.Load(), i)
				}
			case !errors.Is(err, db.ErrVersion):
				t.Errorf("round %d: %v", round, err)
			}
		})
		want := now
		want.Version, want.Message = now.Version+1, fmt.Sprintf("round %d writer %d", round, winner.Load())
		same(t, "winner's write", get(t, s, "a"), want)
	}
}

func testInsertRace(t *testing.T, b Backend) {
	s := b.Open(t)
	for round := range amount(b, 20, 8) {
		id := fmt.Sprintf("t%d", round)
		onlyOneWins(t, "task "+id, func(i int) error {
			return s.Commit(t.Context(), []db.Write{insert(queued(id, minute(i)))})[0]
		})
	}
}

// testConcurrentUse writes and reads everything at once; each writer sees its
// own writes, and no page shows a task twice.
func testConcurrentUse(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	rounds, limit := amount(b, 10, 2), amount(b, 7, 11)
	race(func(i int) {
		worker := cluster.WorkerID(fmt.Sprintf("w%d", i))
		for n := range rounds {
			task := queued(fmt.Sprintf("t%d-%d", i, n), minute(n))
			put(t, s, task)
			task.Version = 1
			task = assigned(task, worker, minute(n))
			w := update(task)
			w.Assignment = &db.Assignment{Ref: task.Ref(), WorkerID: worker, AssignedAt: minute(n)}
			must(t, s, w)
			same(t, "own write", get(t, s, task.ID), w.Task)
			if err := s.PutWorker(ctx, cluster.Worker{ID: worker, Version: fmt.Sprint(n)}); err != nil {
				t.Error(err)
			}
			seen := map[cluster.TaskID]bool{}
			for _, id := range listIDs(t, s, cluster.TaskFilter{}, limit) {
				if seen[id] {
					t.Errorf("task %s listed twice", id)
				}
				seen[id] = true
			}
			if _, err := s.CountTasks(ctx, cluster.TaskFilter{WorkerID: worker}); err != nil {
				t.Error(err)
			}
		}
	})
	if got := listIDs(t, s, cluster.TaskFilter{}, 1000); len(got) != racers*rounds {
		t.Errorf("%d tasks, want %d", len(got), racers*rounds)
	}
	workers, err := s.ListWorkers(ctx)
	if err != nil || len(workers) != racers {
		t.Errorf("%d workers, %v", len(workers), err)
	}
}

// eachCall makes every call of the store once and gives its error.
func eachCall(ctx context.Context, s db.Store) (reads, writes map[string]error) {
	page := cluster.Page{Limit: 10}
	second := func(_ any, err error) error { return err }
	reads = map[string]error{
		"Task":            second(s.Task(ctx, "a")),
		"ActiveTasks":     s.ActiveTasks(ctx, func(cluster.Task) error { return nil }),
		"ListTasks":       errOf3(s.ListTasks(ctx, cluster.TaskFilter{}, page)),
		"CountTasks":      second(s.CountTasks(ctx, cluster.TaskFilter{})),
		"TasksWithPrefix": second(s.TasksWithPrefix(ctx, "", "", 1)),
		"WorkerAttempts":  errOf3(s.WorkerAttempts(ctx, "w", page)),
		"TaskResults":     second(s.TaskResults(ctx, "a")),
		"ListWorkers":     second(s.ListWorkers(ctx)),
		"TaskFiles":       second(s.TaskFiles(ctx, "a")),
		"ListFiles":       errOf3(s.ListFiles(ctx, "", page)),
		"UserByID":        second(s.UserByID(ctx, "u")),
		"UserByEmail":     second(s.UserByEmail(ctx, "e")),
		"ListUsers":       second(s.ListUsers(ctx)),
		"CountUsers":      second(s.CountUsers(ctx)),
		"TokenByHash":     second(s.TokenByHash(ctx, "h")),
		"ListTokens":      second(s.ListTokens(ctx, "u")),
	}
	writes = map[string]error{
		"Commit":        s.Commit(ctx, []db.Write{insert(queued("new", base))})[0],
		"DeleteTasks":   s.DeleteTasks(ctx, []db.TaskVersion{{ID: "a", Version: 1}})[0],
		"PutWorker":     s.PutWorker(ctx, cluster.Worker{ID: "new"}),
		"DeleteWorker":  s.DeleteWorker(ctx, "w"),
		"PutUser":       s.PutUser(ctx, cluster.User{ID: "new", Email: "new"}),
		"DeleteUser":    s.DeleteUser(ctx, "u"),
		"PutToken":      s.PutToken(ctx, cluster.APIToken{ID: "new", SecretHash: "new"}),
		"DeleteToken":   s.DeleteToken(ctx, "k"),
		"EndSession":    s.EndSession(ctx, "new", minute(1)),
		"EndedSessions": second(s.EndedSessions(ctx, minute(9))),
		"MetaOnce":      second(s.MetaOnce(ctx, "new", "x")),
	}
	return reads, writes
}

func errOf3[T any](_ []T, _ cluster.Cursor, err error) error { return err }

func testCancelled(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, queued("a", base))
	isErr(t, "worker", s.PutWorker(t.Context(), cluster.Worker{ID: "w"}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reads, writes := eachCall(ctx, s)
	for name, err := range reads {
		isErr(t, name, err, context.Canceled)
	}
	for name, err := range writes {
		isErr(t, name, err, context.Canceled)
		isErr(t, name, err, db.ErrUnavailable)
		if errors.Is(err, db.ErrOutcomeUnknown) {
			t.Errorf("%s: a write that was never taken has a known outcome: %v", name, err)
		}
	}
	_, err := s.Task(t.Context(), "new")
	isErr(t, "task that was refused", err, cluster.ErrNotFound)
	workers, err := s.ListWorkers(t.Context())
	isErr(t, "workers", err, nil)
	same(t, "workers", workers, []cluster.Worker{{ID: "w"}})

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	put(t, s, queued("b", minute(1)))
	err = s.ActiveTasks(ctx, func(cluster.Task) error { cancel(); return nil })
	isErr(t, "ActiveTasks given up half way", err, context.Canceled)
}

func testClosed(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, queued("a", base))
	isErr(t, "close", s.Close(), nil)
	isErr(t, "closing again", s.Close(), nil)
	reads, writes := eachCall(t.Context(), s)
	for _, errs := range []map[string]error{reads, writes} {
		for name, err := range errs {
			isErr(t, name+" after Close", err, db.ErrUnavailable)
		}
	}
	same(t, "after reopening", listIDs(t, b.Open(t), cluster.TaskFilter{}, 10), []cluster.TaskID{"a"})
}
