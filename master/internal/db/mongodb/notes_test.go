package mongodb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// noted are the targets of all audit entries, the first one first; their numbers
// have no holes.
func noted(t testing.TB, s db.Store) (targets []string) {
	t.Helper()
	list, err := s.ListAudit(t.Context(), cluster.AuditFilter{}, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		targets = append(targets, list[i].Target)
		if list[i].Seq != int64(len(targets)) {
			t.Fatalf("entry %d stands in the place of %d", list[i].Seq, len(targets))
		}
	}
	return targets
}

func signed(w db.Write, target string) db.Write {
	w.Audit = &cluster.AuditEntry{Target: target, Action: "do", Outcome: cluster.AuditOK}
	return w
}

// F01: the master ends between any two of its calls to the server, while it stores
// tasks with their audit entries: in the next life each entry is there if and only
// if its task's write is, once, and the log goes on behind it.
func TestF01EndsBetweenTaskAndEntry(t *testing.T) {
	t.Parallel()
	for ends := 1; ; ends++ {
		database, dir := testDatabase(t), t.TempDir()
		s := open(t, database, dir)
		commit(t, s, signed(insert(newTask("there")), "there"))
		there := get(t, s, "there")
		var calls atomic.Int32
		inWriter(t, s, func(context.Context, *writer) error {
			s.beforeSend = func() error {
				if int(calls.Add(1)) >= ends {
					return fmt.Errorf("%w: the master has ended", db.ErrUnavailable)
				}
				return nil
			}
			return nil
		})
		writes := []db.Write{
			signed(insert(newTask("a")), "a"), signed(insert(newTask("there")), "refused"), insert(newTask("b")),
			signed(update(there, "once"), "there again"),
		}
		writes[0].Key = &db.Key{
			Name: db.KeyName{UserID: "u", Route: "r", Key: "k"}, TaskID: "a", StoredAt: there.CreatedAt, ExpiresAt: there.CreatedAt.AddDate(1, 0, 0),
		}
		errs := s.Commit(t.Context(), writes)
		ended := int(calls.Load()) >= ends
		crash(t, s)
		s = open(t, database, dir)
		want := []string{"there"}
		if _, err := s.Task(t.Context(), "a"); err == nil {
			want = append(want, "a")
		} else if !errors.Is(err, cluster.ErrNotFound) || errs[0] == nil {
			t.Fatalf("ended at call %d: %v, answered %v", ends, err, errs[0])
		}
		now := get(t, s, "there")
		if now.Version == 2 {
			want = append(want, "there again")
		} else if errs[3] == nil {
			t.Errorf("ended at call %d: an acknowledged write is lost", ends)
		}
		if got := noted(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ended at call %d: the log has %v, the tasks say %v", ends, got, want)
		}
		commit(t, s, signed(update(now, "next"), "next"))
		want = append(want, "next")
		if got := noted(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ended at call %d: the log goes on as %v, want %v", ends, got, want)
		}
		crash(t, s)
		if s = open(t, database, dir); fmt.Sprint(noted(t, s)) != fmt.Sprint(want) {
			t.Errorf("ended at call %d: after one more start %v, want %v", ends, noted(t, s), want)
		}
		if !ended {
			if ends < 4 {
				t.Errorf("only %d calls were made", ends-1)
			}
			return
		}
	}
}

// A call that moves entries into the log hangs in the network: its tasks are
// acknowledged, since the entries lie beside them, and are in the log once.
func TestF25LateEntries(t *testing.T) {
	t.Parallel()
	s, network := throughProxy(t, testDatabase(t), shortLease)
	commit(t, s, signed(insert(newTask("there")), "there"))
	there := get(t, s, "there")
	calls := 0
	inWriter(t, s, func(context.Context, *writer) error {
		s.beforeSend = func() error {
			if calls++; calls == 2 { // after that of the task
				network.Hold()
			}
			return nil
		}
		return nil
	})
	commit(t, s, signed(update(there, "once"), "once"))
	await(t, 10*time.Second, func() error {
		if got := noted(t, s); len(got) != 2 {
			return fmt.Errorf("the log has %v", got)
		}
		return nil
	})
	network.Release()
	for range 20 { // the server has carried the late call out when it has answered this often
		if got := noted(t, s); fmt.Sprint(got) != "[there once]" {
			t.Fatalf("the log has %v", got)
		}
	}
	commit(t, s, signed(update(get(t, s, "there"), "twice"), "twice"))
	if got := noted(t, s); fmt.Sprint(got) != "[there once twice]" {
		t.Errorf("the log goes on as %v", got)
	}
}
