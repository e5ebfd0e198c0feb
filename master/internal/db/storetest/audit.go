package storetest

import (
	"fmt"
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
	for _, seq := range []int{0, 1, len(all), len(all) + 2} {
		isErr(t, fmt.Sprint("in the place ", seq), s.AppendAudit(ctx, []cluster.AuditEntry{auditEntry(seq)}), db.ErrVersion)
	}
	two := []cluster.AuditEntry{auditEntry(len(all) + 1), auditEntry(len(all) + 3)}
	isErr(t, "a hole within", s.AppendAudit(ctx, two), db.ErrVersion)
	check(cluster.AuditFilter{})
	_, err := s.ListAudit(ctx, cluster.AuditFilter{}, 0, 0)
	isErr(t, "no limit", err, cluster.ErrInvalid)
	add(1)
	check(cluster.AuditFilter{})
	onlyOneWins(t, "the same place", func(i int) error {
		e := auditEntry(len(all) + 1)
		e.Detail = fmt.Sprint("racer ", i)
		return s.AppendAudit(ctx, []cluster.AuditEntry{e})
	})
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
