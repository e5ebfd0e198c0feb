package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func age(d time.Duration) *time.Duration { return &d }

// ended is a task with a log and files that ended then.
func ended(id string, at time.Time) cluster.Task {
	return cluster.Task{
		ID: cluster.TaskID(id), State: cluster.StateStored, Outcome: cluster.OutcomeSuccess, FinishedAt: at,
		Attempts: []cluster.Attempt{{Number: 1}}, Files: cluster.FilesSummary{Attempt: 1, Count: 1, TotalSize: 5},
	}
}

func TestDue(t *testing.T) {
	whole := ended("a", start)
	change := func(f func(*cluster.Task)) cluster.Task {
		t := whole
		f(&t)
		return t
	}
	running := change(func(t *cluster.Task) { t.State, t.Outcome, t.FinishedAt = cluster.StateRunning, "", time.Time{} })
	p := Policy{Tasks: age(3 * time.Hour), Logs: age(time.Hour), Files: age(2 * time.Hour)}
	for _, c := range []struct {
		name  string
		p     Policy
		task  cluster.Task
		after time.Duration
		want  string
	}{
		{"everything is kept", Policy{}, whole, 1000 * time.Hour, ""},
		{"too young", p, whole, time.Hour - 1, ""},
		{"the log", p, whole, time.Hour, "logs"},
		{"the files too", p, whole, 2 * time.Hour, "logs files"},
		{"all of it", p, whole, 3 * time.Hour, "task logs files"},
		{"active", p, running, 1000 * time.Hour, ""},
		{"at once", Policy{Tasks: age(0)}, whole, 0, "task"},
		{"active is never at once", Policy{Tasks: age(0), Logs: age(0), Files: age(0)}, running, 0, ""},
		{"log gone", p, change(func(t *cluster.Task) { t.LogsDeleted = true }), 2 * time.Hour, "files"},
		{"files gone", p, change(func(t *cluster.Task) { t.Files.Deleted = true }), 2 * time.Hour, "logs"},
		{"never placed", p, change(func(t *cluster.Task) { t.Attempts, t.Files = nil, cluster.FilesSummary{} }), 3 * time.Hour, "task"},
	} {
		var got []string
		for k, name := range map[Kind]string{Tasks: "task", Logs: "logs", Files: "files"} {
			if c.p.Due(k, c.task, start.Add(c.after)) {
				got = append(got, name)
			}
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v may go, want %v", c.name, got, want)
		}
	}
	if Over(Tasks, whole) || Over(Logs, running) || Over(Logs, whole) || !Over(Logs, change(func(t *cluster.Task) { t.LogsDeleted = true })) {
		t.Error("what is over is told wrongly")
	}
	if least, ok := p.Shortest(); !ok || least != time.Hour {
		t.Errorf("the shortest age is %v, %v", least, ok)
	}
	if _, ok := (Policy{}).Shortest(); ok || !(Policy{}).KeepsAll() || p.KeepsAll() {
		t.Error("the policy that keeps all is none")
	}
}

// Whatever the order in which it is shown, the oldest go, and no more than
// needed.
func TestSurplus(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		n := 1 + rng.IntN(60)
		all := make([]Candidate, n)
		var total int64
		for i := range all {
			all[i] = Candidate{ID: cluster.TaskID(fmt.Sprintf("t%02d", i)), FinishedAt: start.Add(time.Duration(i/3) * time.Minute), Logs: rng.Int64N(9), Files: rng.Int64N(9)}
			total += all[i].bytes()
		}
		bound, most, stays := rng.Int64N(total+10), 1+rng.IntN(n+5), rng.Int64N(5)
		s := NewSurplus(bound, most)
		s.Stays(stays)
		for _, i := range rng.Perm(n) {
			s.Add(all[i])
		}
		if s.Total() != total+stays {
			t.Fatalf("round %d: total %d, want %d", round, s.Total(), total+stays)
		}
		var want []cluster.TaskID
		left, seen := total+stays, 0
		for _, c := range all {
			if left <= bound || seen == most {
				break
			}
			if c.bytes() > 0 {
				want, left, seen = append(want, c.ID), left-c.bytes(), seen+1
			}
		}
		chosen, more := s.Choose()
		var got []cluster.TaskID
		for _, c := range chosen {
			got = append(got, c.ID)
		}
		if !slices.Equal(got, want) || more && left <= bound {
			t.Fatalf("round %d: bound %d of %d, at most %d: %v go, want %v; more: %v", round, bound, total, most, got, want, more)
		}
	}
}
