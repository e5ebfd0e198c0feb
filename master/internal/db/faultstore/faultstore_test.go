package faultstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
)

// backend shows that a wrapped store without faults is the store.
type backend struct{ memory *storetest.Memory }

func (b *backend) Open(testing.TB) db.Store {
	b.memory = b.memory.Reopen()
	return faultstore.New(b.memory)
}

// Slow implements storetest.Slow: the store within sorts everything for each
// page.
func (b *backend) Slow() bool { return true }

func TestTransparent(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend { return &backend{storetest.NewMemory()} })
}

func writes(ids ...cluster.TaskID) []db.Write {
	list := make([]db.Write, len(ids))
	for i, id := range ids {
		list[i].Task = cluster.NewTask(id, "u", cluster.Spec{}, time.Unix(1, 0))
		list[i].Task.Version = 1
	}
	return list
}

func TestCommitFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault faultstore.Fault
		kept  int // of three
	}{
		"refused":      {faultstore.Refused, 0},
		"full":         {faultstore.Full, 0},
		"unknown lost": {faultstore.UnknownLost, 0},
		"unknown done": {faultstore.UnknownDone, 3},
		"unknown half": {faultstore.Fault{Err: db.ErrOutcomeUnknown, Done: 2}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inner := storetest.NewMemory()
			s := faultstore.New(inner)
			s.FailAt(2, tt.fault)
			ids := []cluster.TaskID{"a", "b", "c"}
			if _, err := s.Task(t.Context(), "a"); !errors.Is(err, cluster.ErrNotFound) {
				t.Fatalf("first call: %v", err)
			}
			for i, err := range s.Commit(t.Context(), writes(ids...)) {
				if !errors.Is(err, tt.fault.Err) {
					t.Errorf("answer %d: %v, want %v", i, err, tt.fault.Err)
				}
			}
			for i, id := range ids {
				_, err := s.Task(t.Context(), id)
				if kept := err == nil; kept != (i < tt.kept) {
					t.Errorf("write %d kept: %v, want %d kept", i, kept, tt.kept)
				}
			}
			if s.Calls() != 5 {
				t.Errorf("%d calls counted", s.Calls())
			}
		})
	}
}

// TestEachCallFails lets every method fail in turn.
func TestEachCallFails(t *testing.T) {
	ctx, one := t.Context(), cluster.Page{Limit: 1}
	s := faultstore.New(storetest.NewMemory())
	var seen faultstore.Call
	s.Use(func(c faultstore.Call) faultstore.Fault { seen = c; return faultstore.Refused })
	type call struct {
		write bool
		do    func() error
	}
	for name, c := range map[string]call{
		"Commit":          {true, func() error { return s.Commit(ctx, writes("a"))[0] }},
		"PutWorker":       {true, func() error { return s.PutWorker(ctx, cluster.Worker{ID: "w"}) }},
		"DeleteWorker":    {true, func() error { return s.DeleteWorker(ctx, "w") }},
		"PutUser":         {true, func() error { return s.PutUser(ctx, cluster.User{ID: "u"}) }},
		"DeleteUser":      {true, func() error { return s.DeleteUser(ctx, "u") }},
		"PutToken":        {true, func() error { return s.PutToken(ctx, cluster.APIToken{ID: "k"}) }},
		"DeleteToken":     {true, func() error { return s.DeleteToken(ctx, "k") }},
		"EndSession":      {true, func() error { return s.EndSession(ctx, "s", time.Unix(1, 0)) }},
		"EndedSessions":   {true, func() error { _, err := s.EndedSessions(ctx, time.Unix(1, 0)); return err }},
		"MetaOnce":        {true, func() error { _, err := s.MetaOnce(ctx, "n", "v"); return err }},
		"DeleteTasks":     {true, func() error { return s.DeleteTasks(ctx, []db.TaskVersion{{ID: "none", Version: 1}})[0] }},
		"PutKey":          {true, func() error { return s.PutKey(ctx, db.Key{}) }},
		"ForgetKeys":      {true, func() error { _, err := s.ForgetKeys(ctx, time.Unix(1, 0), 1); return err }},
		"Key":             {false, func() error { _, err := s.Key(ctx, db.KeyName{}); return err }},
		"Task":            {false, func() error { _, err := s.Task(ctx, "a"); return err }},
		"ActiveTasks":     {false, func() error { return s.ActiveTasks(ctx, func(cluster.Task) error { return nil }) }},
		"ListTasks":       {false, func() error { _, _, err := s.ListTasks(ctx, cluster.TaskFilter{}, one); return err }},
		"CountTasks":      {false, func() error { _, err := s.CountTasks(ctx, cluster.TaskFilter{}); return err }},
		"TasksWithPrefix": {false, func() error { _, err := s.TasksWithPrefix(ctx, "", "", 1); return err }},
		"WorkerAttempts":  {false, func() error { _, _, err := s.WorkerAttempts(ctx, "w", one); return err }},
		"TaskResults":     {false, func() error { _, err := s.TaskResults(ctx, "a"); return err }},
		"ListWorkers":     {false, func() error { _, err := s.ListWorkers(ctx); return err }},
		"TaskFiles":       {false, func() error { _, err := s.TaskFiles(ctx, "a"); return err }},
		"ListFiles":       {false, func() error { _, _, err := s.ListFiles(ctx, "", one); return err }},
		"UserByID":        {false, func() error { _, err := s.UserByID(ctx, "u"); return err }},
		"UserByEmail":     {false, func() error { _, err := s.UserByEmail(ctx, "u"); return err }},
		"ListUsers":       {false, func() error { _, err := s.ListUsers(ctx); return err }},
		"CountUsers":      {false, func() error { _, err := s.CountUsers(ctx); return err }},
		"TokenByHash":     {false, func() error { _, err := s.TokenByHash(ctx, "h"); return err }},
		"ListTokens":      {false, func() error { _, err := s.ListTokens(ctx, "u"); return err }},
	} {
		if err := c.do(); !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if seen.Method != name || seen.Write != c.write {
			t.Errorf("%s was seen as %+v", name, seen)
		}
	}
	s.Use(nil)
	if list, err := s.ListWorkers(context.Background()); err != nil || len(list) != 0 {
		t.Errorf("after the script: %v, %v", list, err)
	}
}

func TestFailWriteAt(t *testing.T) {
	s := faultstore.New(storetest.NewMemory())
	s.FailWriteAt(2, faultstore.UnknownDone)
	for n, want := range []error{nil, db.ErrOutcomeUnknown, nil} {
		if _, err := s.ListUsers(t.Context()); err != nil {
			t.Errorf("a read failed: %v", err)
		}
		id := string(rune('a' + n))
		if err := s.PutUser(t.Context(), cluster.User{ID: cluster.UserID(id), Email: id}); !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", n, err, want)
		}
	}
	if list, _ := s.ListUsers(t.Context()); len(list) != 3 {
		t.Errorf("%d users, want all three", len(list))
	}
}
