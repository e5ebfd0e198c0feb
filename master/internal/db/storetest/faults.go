package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
)

// deed is one step of a master's life, as a master does it: it can be done
// again after a start, and says by reading whether it is done.
type deed struct {
	name string
	do   func(ctx context.Context, s db.Store) error
	done func(ctx context.Context, s db.Store) (bool, error)
}

// write is the deed that brings a task to a version.
func write(name string, w db.Write) deed {
	return deed{
		name,
		func(ctx context.Context, s db.Store) error { return s.Commit(ctx, []db.Write{w})[0] },
		func(ctx context.Context, s db.Store) (bool, error) {
			now, err := s.Task(ctx, w.Task.ID)
			if errors.Is(err, cluster.ErrNotFound) {
				return false, nil
			}
			return now.Version >= w.Task.Version, err
		},
	}
}

// repeatable is a deed that may simply be done again.
func repeatable(name string, do func(ctx context.Context, s db.Store) error) deed {
	return deed{name, do, func(context.Context, db.Store) (bool, error) { return false, nil }}
}

// lifeOf is what is written for one task and around it, and the last write of
// the task.
func lifeOf(n int) ([]deed, db.Write) {
	id := cluster.TaskID(fmt.Sprintf("life%03d", n))
	first := insert(queued(string(id), minute(n)))
	first.Key = keyFor(id, string(id))
	first.Audit = &cluster.AuditEntry{Target: string(id), Action: "submitTask"}
	second := update(assigned(first.Task, "w1", minute(n)))
	second.Assignment = &db.Assignment{Ref: second.Task.Ref(), WorkerID: "w1", AssignedAt: minute(n)}
	third := update(running(second.Task, minute(n+1)))
	last := update(succeeded(third.Task, cluster.FilesSummary{Attempt: 1, Count: 1, TotalSize: 3}, minute(n+2)))
	last.Result = &db.Result{Ref: second.Task.Ref(), WorkerID: "w1", Outcome: cluster.OutcomeSuccess, StoredAt: minute(n + 2)}
	last.Files = []cluster.File{{Path: string(id), Size: 3}}
	last.Audit = &cluster.AuditEntry{Target: string(id), Action: "last"}
	user := cluster.User{ID: cluster.UserID(id), Email: string(id), CreatedAt: minute(n)}
	token := cluster.APIToken{ID: string(id), UserID: user.ID, SecretHash: string(id)}
	return []deed{
		repeatable("meta", func(ctx context.Context, s db.Store) error {
			_, err := s.MetaOnce(ctx, string(id), "x")
			return err
		}),
		repeatable("worker", func(ctx context.Context, s db.Store) error {
			return s.PutWorker(ctx, cluster.Worker{ID: cluster.WorkerID(id), RegisteredAt: minute(n)})
		}),
		repeatable("user", func(ctx context.Context, s db.Store) error { return s.PutUser(ctx, user) }),
		repeatable("token", func(ctx context.Context, s db.Store) error { return s.PutToken(ctx, token) }),
		write("submit", first), write("assign", second), write("progress", third), write("result", last),
		repeatable("session", func(ctx context.Context, s db.Store) error { return s.EndSession(ctx, string(id), minute(999)) }),
		repeatable("delete the token", func(ctx context.Context, s db.Store) error { return s.DeleteToken(ctx, token.ID) }),
		repeatable("delete the user", func(ctx context.Context, s db.Store) error { return s.DeleteUser(ctx, user.ID) }),
		repeatable("delete the worker", func(ctx context.Context, s db.Store) error {
			return s.DeleteWorker(ctx, cluster.WorkerID(id))
		}),
		repeatable("key of no task", func(ctx context.Context, s db.Store) error {
			err := s.PutKey(ctx, *keyFor("", string(id)))
			if errors.Is(err, db.ErrKeyTaken) { // the first time it was stored
				err = nil
			}
			return err
		}),
		repeatable("forget keys", func(ctx context.Context, s db.Store) error {
			_, err := s.ForgetKeys(ctx, base, 10)
			return err
		}),
		repeatable("forget sessions", func(ctx context.Context, s db.Store) error {
			_, err := s.EndedSessions(ctx, base)
			return err
		}),
	}, last
}

// testEveryCallFails lets each call of a life fail in turn, in each way, with a
// start of the master in between: the life comes to the same end.
func testEveryCallFails(t *testing.T, b Backend) {
	ways := []faultstore.Fault{faultstore.Refused, faultstore.UnknownLost, faultstore.UnknownDone}
	var want []db.Write
	n := 0
	for call := 1; ; call++ {
		met := false
		for way, fault := range ways {
			if amount(b, 0, 1) == 1 && call%len(ways) != way {
				continue // a slow one meets each call in one way
			}
			life, last := lifeOf(n)
			met = liveThrough(t, b, life, call, fault) || met
			want = append(want, last)
			n++
		}
		if !met { // the life has no such call
			break
		}
	}
	checkLives(t, b.Open(t), want)
}

// liveThrough does all deeds of a life, one of whose calls fails; it reports
// whether there was one.
func liveThrough(t *testing.T, b Backend, life []deed, call int, fault faultstore.Fault) bool {
	t.Helper()
	inner := b.Open(t)
	s := faultstore.New(inner)
	s.FailAt(call, fault)
	met := false
	for i := 0; i < len(life); i++ {
		err := life[i].do(t.Context(), s)
		if err == nil {
			continue
		}
		if met || !errors.Is(err, fault.Err) {
			t.Fatalf("call %d, %s: %v", call, life[i].name, err)
		}
		met = true
		isErr(t, "close", inner.Close(), nil)
		inner = b.Open(t)
		s = faultstore.New(inner)
		done, err := life[i].done(t.Context(), s)
		isErr(t, life[i].name, err, nil)
		if fault == faultstore.UnknownLost && done {
			t.Errorf("call %d, %s: it is done although it was lost", call, life[i].name)
		}
		if !done {
			i--
		}
	}
	isErr(t, "close", inner.Close(), nil)
	return met
}

// checkLives wants that nothing is left of what was deleted and all of the rest
// is there, once.
func checkLives(t *testing.T, s db.Store, want []db.Write) {
	t.Helper()
	ctx := t.Context()
	ended := map[string]time.Time{}
	for _, w := range want {
		id := w.Task.ID
		same(t, "task", get(t, s, id), w.Task)
		files, err := s.TaskFiles(ctx, id)
		isErr(t, "files", err, nil)
		same(t, "files", files, w.Files)
		results, err := s.TaskResults(ctx, id)
		isErr(t, "results", err, nil)
		same(t, "results", results, []db.Result{*w.Result})
		checkKey(t, s, *keyFor(id, string(id)))
		noted, err := s.ListAudit(ctx, cluster.AuditFilter{Target: string(id)}, 0, 9)
		isErr(t, "audit", err, nil)
		if len(noted) != 2 || noted[0].Action != "last" || noted[1].Action != "submitTask" {
			t.Errorf("who wrote task %s: %+v", id, noted)
		}
		_, err = s.TokenByHash(ctx, string(id))
		isErr(t, "token", err, cluster.ErrNotFound)
		ended[string(id)] = minute(999)
	}
	attempts := pages(t, 7, func(ctx context.Context, p cluster.Page) ([]db.Assignment, cluster.Cursor, error) {
		return s.WorkerAttempts(ctx, "w1", p)
	})
	workers, err := s.ListWorkers(ctx)
	isErr(t, "workers", err, nil)
	users, err := s.ListUsers(ctx)
	isErr(t, "users", err, nil)
	sessions, err := s.EndedSessions(ctx, base)
	isErr(t, "sessions", err, nil)
	same(t, "sessions", sessions, ended)
	if len(attempts) != len(want) || len(workers)+len(users) != 0 {
		t.Errorf("%d attempts of %d, %d workers and %d users are left", len(attempts), len(want), len(workers), len(users))
	}
}
