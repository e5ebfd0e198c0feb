package storetest

import (
	"fmt"
	"sync"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// auditEntry is one with something in every field.
func auditEntry(seq int) cluster.AuditEntry {
	e := Filled[cluster.AuditEntry]()
	e.Seq, e.Time = int64(seq), minute(seq)
	e.UserID = cluster.UserID(fmt.Sprint("u", seq%3))
	e.Action, e.Target = []string{"login", "submitTask"}[seq%2], fmt.Sprint("t", seq%5)
	e.Outcome = []cluster.AuditOutcome{cluster.AuditOK, cluster.AuditDenied, cluster.AuditFailed, cluster.AuditOK}[seq%4]
	return e
}

func testAudit(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	var all []cluster.AuditEntry
	add := func(n int) {
		t.Helper()
		var more []cluster.AuditEntry
		for range n {
			more = append(more, auditEntry(len(all)+len(more)+1))
		}
		isErr(t, "append", s.AppendAudit(ctx, more), nil)
		all = append(all, more...)
	}
	list := func(f cluster.AuditFilter, below int64, limit int) []cluster.AuditEntry {
		t.Helper()
		got, err := s.ListAudit(ctx, f, below, limit)
		isErr(t, "list", err, nil)
		return got
	}
	check := func(f cluster.AuditFilter) {
		t.Helper()
		var want []cluster.AuditEntry
		for i := len(all) - 1; i >= 0; i-- {
			if f.Matches(&all[i]) {
				want = append(want, all[i])
			}
		}
		same(t, fmt.Sprintf("%+v", f), list(f, 0, 1000), want)
		if len(want) > 2 {
			same(t, fmt.Sprintf("%+v, a page", f), list(f, want[0].Seq, 2), want[1:3])
		}
	}
	check(cluster.AuditFilter{})
	add(1)
	add(7)
	isErr(t, "nothing", s.AppendAudit(ctx, nil), nil)
	add(4)
	plain := cluster.AuditEntry{Seq: int64(len(all) + 1)}
	isErr(t, "one of zero fields", s.AppendAudit(ctx, []cluster.AuditEntry{plain}), nil)
	all = append(all, plain)
	for range 2 {
		for _, f := range []cluster.AuditFilter{
			{},
			{UserID: "u1"},
			{UserID: "nobody"},
			{Action: "login"},
			{Target: "t3"},
			{Outcome: cluster.AuditDenied},
			{Since: minute(4)},
			{Until: minute(4)},
			{UserID: "u1", Action: "submitTask", Target: "t1", Outcome: cluster.AuditDenied, Since: minute(1), Until: minute(2)},
		} {
			check(f)
		}
		isErr(t, "close", s.Close(), nil)
		s = b.Open(t)
	}
	for _, seq := range []int64{0, 1, int64(len(all)), int64(len(all) + 9)} { // the store gives it
		e := auditEntry(len(all) + 1)
		all = append(all, e)
		e.Seq = seq
		isErr(t, fmt.Sprint("with the number ", seq), s.AppendAudit(ctx, []cluster.AuditEntry{e}), nil)
	}
	check(cluster.AuditFilter{})
	_, err := s.ListAudit(ctx, cluster.AuditFilter{}, 0, 0)
	isErr(t, "no limit", err, cluster.ErrInvalid)
	add(1)
	check(cluster.AuditFilter{})
	testAuditRace(t, s, amount(b, 16, 4))
}

// testAuditRace has many add entries at the same time, alone and with tasks: each
// has its own place.
func testAuditRace(t *testing.T, s db.Store, racers int) {
	ctx := t.Context()
	before, err := s.ListAudit(ctx, cluster.AuditFilter{}, 0, 1000)
	isErr(t, "before the race", err, nil)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			w := insert(queued(fmt.Sprint("racer", i), base))
			w.Audit = &cluster.AuditEntry{Detail: fmt.Sprint("with ", i)}
			if err := s.Commit(ctx, []db.Write{w})[0]; err != nil {
				t.Errorf("task %d: %v", i, err)
			}
		})
		group.Go(func() {
			if err := s.AppendAudit(ctx, []cluster.AuditEntry{{Detail: fmt.Sprint("first ", i)}, {Detail: fmt.Sprint("then ", i)}}); err != nil {
				t.Errorf("entries %d: %v", i, err)
			}
		})
	}
	group.Wait()
	after, err := s.ListAudit(ctx, cluster.AuditFilter{}, 0, 1000)
	isErr(t, "after the race", err, nil)
	if len(after) != len(before)+3*racers {
		t.Fatalf("%d entries after the race, %d before, %d racers", len(after), len(before), racers)
	}
	place := map[string]int64{}
	for i, e := range after {
		if e.Seq != int64(len(after)-i) {
			t.Fatalf("entry %d stands in the place of %d", e.Seq, len(after)-i)
		}
		place[e.Detail] = e.Seq
	}
	for i := range racers {
		if first, then := place[fmt.Sprint("first ", i)], place[fmt.Sprint("then ", i)]; first == 0 || then != first+1 || place[fmt.Sprint("with ", i)] == 0 {
			t.Errorf("racer %d: %d, %d", i, first, then)
		}
	}
}

// entriesOf are the details of all entries, the first one first; their numbers
// have no holes.
func entriesOf(t *testing.T, s db.Store) (details []string) {
	t.Helper()
	list, err := s.ListAudit(t.Context(), cluster.AuditFilter{}, 0, 10_000)
	isErr(t, "list", err, nil)
	for i := len(list) - 1; i >= 0; i-- {
		details = append(details, list[i].Detail)
		if list[i].Seq != int64(len(details)) {
			t.Fatalf("entry %d stands in the place of %d", list[i].Seq, len(details))
		}
	}
	return details
}

// testAuditWithTasks has entries come with writes: each is there if and only if
// its write is, in the order of the writes, also after a crash.
func testAuditWithTasks(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	signed := func(w db.Write, detail string) db.Write {
		e := Filled[cluster.AuditEntry]() // its Seq is not looked at
		e.Detail = detail
		w.Audit = &e
		return w
	}
	a := insert(queued("a", base))
	a.Key = keyFor("a", "k")
	taken := insert(queued("b", base))
	taken.Key = keyFor("b", "k")
	two := update(assigned(a.Task, "w1", minute(1)))
	writes := []db.Write{
		signed(a, "submit a"), signed(insert(queued("a", base)), "twice"), signed(two, "assign a"),
		signed(update(a.Task), "stale"),
		{Task: queued("bad", base), Expect: 7, Audit: &cluster.AuditEntry{Detail: "bad"}},
		insert(queued("nobody", base)), signed(insert(queued("c", base)), "submit c"),
	}
	want := []error{nil, db.ErrVersion, nil, db.ErrVersion, cluster.ErrInvalid, nil, nil}
	for i, err := range s.Commit(ctx, writes) {
		isErr(t, fmt.Sprintf("answer %d", i), err, want[i])
	}
	isErr(t, "key is taken", s.Commit(ctx, []db.Write{signed(taken, "taken")})[0], db.ErrKeyTaken)
	isErr(t, "append", s.AppendAudit(ctx, []cluster.AuditEntry{{Detail: "alone"}}), nil)
	c := get(t, s, "c")
	must(t, s, signed(update(c), "patch c"))
	entries := []string{"submit a", "assign a", "submit c", "alone", "patch c"}
	same(t, "entries", entriesOf(t, s), entries)
	full := Filled[cluster.AuditEntry]()
	full.Seq, full.Detail = 5, "patch c"
	last, err := s.ListAudit(ctx, cluster.AuditFilter{UserID: full.UserID, Action: full.Action, Target: full.Target, Outcome: full.Outcome}, 0, 1)
	isErr(t, "list", err, nil)
	same(t, "an entry that came with a task", last, []cluster.AuditEntry{full})
	if crasher, ok := b.(Crasher); ok {
		crasher.Crash(t)
	} else {
		isErr(t, "close", s.Close(), nil)
	}
	s = b.Open(t)
	same(t, "entries in the next life", entriesOf(t, s), entries)
	c = get(t, s, "c")
	must(t, s, update(c)) // which has none
	same(t, "entries at the end", entriesOf(t, s), entries)
	for i, err := range s.DeleteTasks(ctx, []db.TaskVersion{{ID: "c", Version: 3}, {ID: "a", Version: 2}}) {
		isErr(t, fmt.Sprint("delete ", i), err, nil)
	}
	same(t, "entries outlive their tasks", entriesOf(t, s), entries)
}

// testAuditRemoval removes entries by age: only those at the log's beginning, only
// after an entry that says so, and none of those that follow.
func testAuditRemoval(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	aged := func(before int, wantFirst, wantLast int64) {
		t.Helper()
		first, last, err := s.AgedAudit(ctx, minute(before))
		isErr(t, "aged", err, nil)
		if first != wantFirst || last != wantLast {
			t.Errorf("older than minute %d are %d to %d, want %d to %d", before, first, last, wantFirst, wantLast)
		}
	}
	aged(1000, 0, 0)
	var entries []cluster.AuditEntry
	for i := range 10 {
		entries = append(entries, auditEntry(i+1))
	}
	entries[5].Time = minute(1000) // a clock that was wrong for a moment: what follows it stays with it
	isErr(t, "append", s.AppendAudit(ctx, entries), nil)
	aged(1, 0, 0)
	aged(2, 1, 1)
	aged(4, 1, 3)
	aged(500, 1, 5)
	aged(2000, 1, 10)
	remove := func(last int64, limit, want int, wantErr error) {
		t.Helper()
		n, err := s.RemoveAudit(ctx, last, limit)
		isErr(t, fmt.Sprint("remove up to ", last), err, wantErr)
		if n != want {
			t.Errorf("%d entries up to %d are removed, want %d", n, last, want)
		}
	}
	say := func(last int) {
		t.Helper()
		e := cluster.AuditEntry{Time: minute(1000), Action: db.AuditPruned, Target: fmt.Sprint(last)}
		isErr(t, "say so", s.AppendAudit(ctx, []cluster.AuditEntry{e}), nil)
	}
	left := func(want ...int64) {
		t.Helper()
		list, err := s.ListAudit(ctx, cluster.AuditFilter{}, 0, 100)
		isErr(t, "list", err, nil)
		got := []int64{}
		for _, e := range list {
			got = append(got, e.Seq)
		}
		same(t, "left", got, want)
	}
	remove(1, 10, 0, cluster.ErrInvalid)
	say(4)
	remove(5, 10, 0, cluster.ErrInvalid)
	remove(4, 0, 0, cluster.ErrInvalid)
	left(11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
	remove(4, 3, 3, nil)
	left(11, 10, 9, 8, 7, 6, 5, 4)
	remove(4, 3, 1, nil)
	remove(4, 3, 0, nil)
	aged(500, 5, 5)
	isErr(t, "close", s.Close(), nil)
	s = b.Open(t)
	say(10)
	remove(10, 100, 6, nil)
	left(12, 11)
	w := insert(queued("a", base))
	w.Audit = &cluster.AuditEntry{}
	must(t, s, w)
	left(13, 12, 11)
	say(12)
	remove(12, 100, 2, nil)
	left(14, 13)
}

// testAwkwardAudit has texts that trip quoting, matching or encoding.
func testAwkwardAudit(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	for i, text := range awkward {
		e := cluster.AuditEntry{
			Seq: int64(i + 1), UserID: cluster.UserID(text), Via: text, Action: text, Target: text, Owner: cluster.UserID(text), Detail: text,
			Outcome: cluster.AuditOutcome(text), RequestID: text, Address: text,
		}
		isErr(t, "append", s.AppendAudit(ctx, []cluster.AuditEntry{e}), nil)
		got, err := s.ListAudit(ctx, cluster.AuditFilter{UserID: e.UserID, Action: text, Target: text, Outcome: e.Outcome}, 0, 1)
		isErr(t, "list", err, nil)
		same(t, "found by itself", got, []cluster.AuditEntry{e})
	}
}
