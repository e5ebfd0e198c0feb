package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var admin = cluster.Principal{UserID: "root", Role: cluster.RoleAdmin}

// desk is a Log on a store that survives, with a clock.
type desk struct {
	*Log
	t      *testing.T
	memory *storetest.Memory
	store  *faultstore.Store
	now    time.Time
	kept   time.Duration
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, memory: storetest.NewMemory(), now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	d.start()
	return d
}

func (d *desk) start() {
	d.store = faultstore.New(d.memory)
	d.Log = New(Config{Store: d.store, Log: slog.New(slog.DiscardHandler), Keep: d.kept, Now: func() time.Time { return d.now }})
}

func deed(action string) cluster.AuditEntry {
	return cluster.AuditEntry{UserID: "ann", Action: action, Outcome: cluster.AuditOK}
}

// actions are those of all entries, the first first, and wants their Seq to have
// no holes.
func (d *desk) actions() (list []string) {
	d.t.Helper()
	entries, more, err := d.Entries(d.t.Context(), admin, cluster.AuditFilter{}, 0, 10_000)
	if err != nil || more {
		d.t.Fatal(err, more)
	}
	for i := len(entries) - 1; i >= 0; i-- {
		list = append(list, entries[i].Action)
		if entries[i].Seq != int64(len(list)) {
			d.t.Fatalf("entry %d has Seq %d", len(list), entries[i].Seq)
		}
	}
	return list
}

func (d *desk) wantActions(want ...string) {
	d.t.Helper()
	if got := d.actions(); fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Fatalf("%v, want %v", got, want)
	}
}

func TestSurvivesRestarts(t *testing.T) {
	d := newDesk(t)
	for n := range 3 {
		if err := d.Did(t.Context(), deed(fmt.Sprint("a", n))); err != nil {
			t.Fatal(err)
		}
		d.memory = d.memory.Reopen()
		d.start()
	}
	d.wantActions("a0", "a1", "a2")
	if _, _, err := d.Entries(t.Context(), cluster.Principal{UserID: "ann", Role: cluster.RoleUser}, cluster.AuditFilter{}, 0, 1); !errors.Is(err, cluster.ErrDenied) {
		t.Fatalf("read by a user: %v", err)
	}
}

// Many at once stand each in its own place, and share writes.
func TestTogether(t *testing.T) {
	d := newDesk(t)
	var all sync.WaitGroup
	for n := range 500 {
		all.Go(func() {
			if err := d.Did(context.Background(), deed(fmt.Sprint(n))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(d.actions()); n != 500 {
		t.Fatalf("%d entries", n)
	}
}

// However a write fails, and whatever of it was done, each entry is stored once,
// in its order, when the store is back.
func TestStoreAway(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"refused": faultstore.Refused, "full": faultstore.Full, "lost": faultstore.UnknownLost, "done": faultstore.UnknownDone,
	} {
		d := newDesk(t)
		if err := d.Did(t.Context(), deed("first")); err != nil {
			t.Fatal(err)
		}
		d.store.Use(func(c faultstore.Call) faultstore.Fault {
			if c.Write {
				return fault
			}
			return faultstore.Fault{}
		})
		for n := range 3 {
			err := d.Did(t.Context(), deed(fmt.Sprint(name, n)))
			if fault.Done == 0 && !errors.Is(err, fault.Err) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		d.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{Err: db.ErrUnavailable} })
		if err := d.Did(t.Context(), deed("unread")); err == nil {
			t.Fatal("stored by a store that is away")
		}
		d.store.Use(nil)
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.wantActions("first", name+"0", name+"1", name+"2", "unread")
	}
}

// What waits since the store was away is stored once somebody else has found it back.
func TestCatchUp(t *testing.T) {
	d := newDesk(t)
	d.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Refused })
	if err := d.Did(t.Context(), deed("a")); err == nil {
		t.Fatal("stored by a store that is away")
	}
	d.CatchUp(t.Context())
	d.store.Use(nil)
	d.CatchUp(t.Context())
	d.wantActions("a")
	calls := d.store.Calls()
	d.CatchUp(t.Context())
	if d.store.Calls() != calls {
		t.Error("the store is asked although nothing waits")
	}
}

// While the store is away only so much waits.
func TestMemoryIsBounded(t *testing.T) {
	d := newDesk(t)
	d.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Refused })
	for range maxWaiting + 10 {
		_ = d.Did(t.Context(), deed("a"))
	}
	if len(d.waiting) != maxWaiting {
		t.Fatalf("%d wait", len(d.waiting))
	}
	d.store.Use(nil)
	if err := d.Did(t.Context(), deed("b")); err == nil {
		t.Fatal("there was room")
	}
	if err := d.Close(t.Context()); err != nil || len(d.actions()) != maxWaiting {
		t.Fatalf("%v, %d entries", err, len(d.actions()))
	}
}

// Refusals are noted up to a bound, and those beyond it are counted; deeds always.
func TestRefusals(t *testing.T) {
	d := newDesk(t)
	no := cluster.AuditEntry{Action: "login", Outcome: cluster.AuditDenied, Detail: "why"}
	for range maxRefused + 7 {
		if err := d.Did(t.Context(), no); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Did(t.Context(), deed("a")); err != nil {
		t.Fatal(err)
	}
	if n := len(d.actions()); n != maxRefused+1 {
		t.Fatalf("%d entries", n)
	}
	d.now = d.now.Add(refusedOver)
	if err := d.Did(t.Context(), no); err != nil {
		t.Fatal(err)
	}
	last, _, _ := d.Entries(t.Context(), admin, cluster.AuditFilter{}, 0, 1)
	if want := "7 refusals before this one were not noted. why"; last[0].Detail != want {
		t.Fatalf("%q, want %q", last[0].Detail, want)
	}
}

// Who looks at the same thing again and again is noted once in a while.
func TestReads(t *testing.T) {
	d := newDesk(t)
	read := func(user cluster.UserID, target string) {
		t.Helper()
		e := cluster.AuditEntry{UserID: user, Action: "getTask", Target: target, Outcome: cluster.AuditOK}
		if err := d.Read(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		read("ann", "t1")
	}
	read("ann", "t2")
	read("bob", "t1")
	if n := len(d.actions()); n != 3 {
		t.Fatalf("%d entries", n)
	}
	d.now = d.now.Add(readPause)
	read("ann", "t1")
	if n := len(d.actions()); n != 4 {
		t.Fatalf("%d entries", n)
	}
}
