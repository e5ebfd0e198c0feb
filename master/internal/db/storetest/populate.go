package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Populate writes something of everything into an empty store: n tasks in all
// stages of life with what belongs to them, accounts, tokens, ended sign-ins,
// workers, an audit log and a meta value; every field of each kind at least once.
func Populate(ctx context.Context, s db.Store, n int) error {
	if _, err := s.MetaOnce(ctx, "cluster_id", "moved \x00 here"); err != nil {
		return err
	}
	for i := range 3 {
		if err := populatePeople(ctx, s, i); err != nil {
			return err
		}
		w := Filled[cluster.Worker]()
		w.ID = cluster.WorkerID(fmt.Sprintf("w%d", i))
		if i == 1 {
			w.Labels, w.LeftUntil = map[string]string{}, time.Time{}
		}
		if err := s.PutWorker(ctx, w); err != nil {
			return err
		}
	}
	for i := range 3 {
		if err := s.AppendAudit(ctx, []cluster.AuditEntry{auditEntry(2*i + 1), auditEntry(2*i + 2)}); err != nil {
			return err
		}
	}
	return populateTasks(ctx, s, n)
}

func populatePeople(ctx context.Context, s db.Store, i int) error {
	u := Filled[cluster.User]()
	u.ID, u.Email, u.Disabled = cluster.UserID(fmt.Sprintf("u%d", i)), fmt.Sprintf("User%d@Example.org", i), i == 1
	if err := s.PutUser(ctx, u); err != nil {
		return err
	}
	for j, scopes := range [][]cluster.Scope{nil, {}, cluster.Scopes} {
		t := Filled[cluster.APIToken]()
		t.ID, t.SecretHash, t.UserID, t.Scopes = fmt.Sprintf("k%d-%d", i, j), fmt.Sprintf("hash %d %d", i, j), u.ID, scopes
		if err := s.PutToken(ctx, t); err != nil {
			return err
		}
	}
	return s.EndSession(ctx, fmt.Sprintf("s%d", i), base.Add(time.Duration(i)))
}

func populateTasks(ctx context.Context, s db.Store, n int) error {
	r := rand.New(rand.NewPCG(20261125, 2))
	writes := make([]db.Write, n)
	for i := range writes {
		t := randomTask(r, i)
		if i == 0 {
			t = Filled[cluster.Task]()
			t.State, t.Outcome = cluster.StateStored, cluster.OutcomeSuccess
		}
		t.ID, t.Version = cluster.TaskID(fmt.Sprintf("task-%05d", r.IntN(1000)*100_000+i)), 1
		writes[i] = db.Write{Task: t}
	}
	if err := errors.Join(s.Commit(ctx, writes)...); err != nil {
		return err
	}
	for i := range 2 {
		k := Filled[db.Key]()
		k.Name.Key, k.TaskID, k.ExpiresAt = fmt.Sprint("alone", i), "", k.StoredAt.Add(time.Hour)
		if err := s.PutKey(ctx, k); err != nil {
			return err
		}
	}
	for i := range writes { // a second version with rows of every kind
		writes[i] = populatedRows(writes[i].Task, i)
	}
	return errors.Join(s.Commit(ctx, writes)...)
}

// populatedRows is the next version of a task with some rows beside it.
func populatedRows(t cluster.Task, i int) db.Write {
	w := update(t)
	ref := cluster.AttemptRef{TaskID: t.ID, Attempt: 1 + i%3, Lease: "l"}
	if i%2 == 0 {
		a, res := Filled[db.Assignment](), Filled[db.Result]()
		a.Ref, res.Ref = ref, ref
		w.Assignment, w.Result = &a, &res
	}
	if i%3 == 0 {
		w.Task.Files = cluster.FilesSummary{Attempt: ref.Attempt, Count: 2, TotalSize: 3, Deleted: i%2 == 0}
		w.Files = []cluster.File{{Path: "a b/ü", Size: 1, SHA256: "aa"}, {Path: "b", Size: 2, SHA256: "bb", ContentType: "text/plain"}}
	}
	if i%4 == 0 {
		k := Filled[db.Key]()
		k.Name.Key, k.TaskID, k.ExpiresAt = fmt.Sprint(i), t.ID, k.StoredAt.Add(time.Hour)
		w.Key = &k
	}
	return w
}
