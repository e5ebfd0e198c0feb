package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
)

const day = 24 * time.Hour

// aged is a Log that keeps entries for ten days, with one entry of each of so many
// days up to now.
func aged(t *testing.T, days int) *desk {
	d := newDesk(t)
	d.kept = 10 * day
	d.start()
	for n := range days {
		if n > 0 {
			d.now = d.now.Add(day)
		}
		if err := d.Did(t.Context(), deed(fmt.Sprint("day", n))); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// left are the actions of the entries, the first one first; without holes.
func (d *desk) left() (actions []string) {
	d.t.Helper()
	entries, _, err := d.Entries(d.t.Context(), admin, cluster.AuditFilter{}, 0, 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	for i, e := range entries {
		actions = append(actions, e.Action)
		if i > 0 && e.Seq != entries[i-1].Seq-1 {
			d.t.Fatalf("entry %d comes before %d", e.Seq, entries[i-1].Seq)
		}
	}
	slices.Reverse(actions)
	return actions
}

func (d *desk) wantLeft(want ...string) {
	d.t.Helper()
	if got := d.left(); fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Fatalf("left are %v, want %v", got, want)
	}
}

// What has come to its age goes, and an entry says what; what is younger stays.
func TestKept(t *testing.T) {
	d := aged(t, 13)
	if err := d.removeAged(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.wantLeft("day2", "day3", "day4", "day5", "day6", "day7", "day8", "day9", "day10", "day11", "day12", db.AuditPruned)
	said, _, _ := d.Entries(t.Context(), admin, cluster.AuditFilter{Action: db.AuditPruned}, 0, 5)
	want := cluster.AuditEntry{
		Seq: 14, Time: d.now, Via: "retention", Action: db.AuditPruned, Target: "2", Outcome: cluster.AuditOK,
		Detail: "first=1, older_than=240h0m0s, removed=2",
	}
	if len(said) != 1 || said[0] != want {
		t.Fatalf("%+v, want %+v", said, want)
	}
	before := d.left()
	if err := d.removeAged(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.wantLeft(before...) // nothing goes, so nothing is said
	d.now = d.now.Add(11 * day)
	if err := d.removeAged(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.wantLeft(db.AuditPruned)
	if err := d.Did(t.Context(), deed("next")); err != nil {
		t.Fatal(err)
	}
	d.wantLeft(db.AuditPruned, "next")
}

// However a call of the removal fails, and whatever of it was done: with the next
// looks all goes that is to go, nothing else, and each entry is counted once.
func TestKeptWithFaults(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"refused": faultstore.Refused, "lost": faultstore.UnknownLost, "done": faultstore.UnknownDone,
	} {
		for call := 1; ; call++ {
			d := aged(t, 13)
			d.store.FailAt(call, fault)
			failed := d.removeAged(t.Context())
			d.store.Use(nil)
			d.memory = d.memory.Reopen() // the master was killed there, or was not
			if call%2 == 0 {
				d.start()
			} else {
				d.Log.store = faultstore.New(d.memory)
			}
			for range 2 {
				if err := d.removeAged(t.Context()); err != nil {
					t.Fatalf("%s, call %d: %v", name, call, err)
				}
			}
			d.wantLeft("day2", "day3", "day4", "day5", "day6", "day7", "day8", "day9", "day10", "day11", "day12", db.AuditPruned)
			if failed == nil && call > 5 {
				break
			}
		}
	}
}

// It goes by itself, in time; a clock that is set forward, or was while the master
// did not run, is not believed at once.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewMemory()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		l := New(Config{Store: store, Log: slog.New(slog.DiscardHandler), Keep: 10 * day})
		add := func() {
			t.Helper()
			if err := l.Did(t.Context(), deed("a")); err != nil {
				t.Fatal(err)
			}
		}
		count := func() int {
			t.Helper()
			list, err := store.ListAudit(t.Context(), cluster.AuditFilter{Action: "a"}, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		add()
		time.Sleep(11 * day)
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()
		if n := count(); n != 1 {
			t.Error("an entry went at once although all have come to their age")
		}
		time.Sleep(clockPause + time.Minute)
		if n := count(); n != 0 {
			t.Errorf("%d entries after a pause", n)
		}
		add()
		time.Sleep(9 * day)
		add()
		if n := count(); n != 2 {
			t.Errorf("%d entries after nine days, of two", n)
		}
		time.Sleep(3 * day)
		if n := count(); n != 1 {
			t.Errorf("%d entries after twelve days, of one", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A Log that keeps all removes nothing, and has nothing to run.
func TestKeepsAll(t *testing.T) {
	d := aged(t, 13)
	d.kept = 0
	d.start()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(d.left()); n != 13 {
		t.Errorf("%d entries", n)
	}
}

// The store removes nothing that no entry says is going.
func TestNothingGoesUnsaid(t *testing.T) {
	d := aged(t, 3)
	if _, err := d.store.RemoveAudit(t.Context(), 1, 10); !errors.Is(err, cluster.ErrInvalid) {
		t.Fatal(err)
	}
}
