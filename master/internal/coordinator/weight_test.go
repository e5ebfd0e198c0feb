package coordinator

import (
	"fmt"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/events"
)

// F27: what one user's waiting tasks take in memory is bounded, and what all
// take: further ones are refused by every call until some are over. A repeat of a
// request that was taken before hears its first reply, and after a restart the
// bounds are the same.
func TestF27SpecsInMemoryAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		large := cluster.TaskRequest{Image: "i", Inputs: []cluster.InputFile{{Path: "x", Content: []byte(strings.Repeat("x", 100_000))}}}
		lower := func() { r.c.m.weight.userMost, r.c.m.weight.most = 450_000, 750_000 }
		lower()
		fill := func(p cluster.Principal) (ids []cluster.TaskID, err error) {
			for {
				made, err := r.c.Submit(t.Context(), p, large, Once{})
				if err != nil {
					return ids, err
				}
				ids = append(ids, made.ID)
			}
		}
		first, reply, err := r.send(ann, "k", "x")
		if err != nil {
			t.Fatal(err)
		}
		hers, err := fill(ann)
		r.wantErr("ann's", err, cluster.ErrBusy)
		if len(hers) != 5 || !strings.Contains(err.Error(), "your tasks") {
			t.Fatalf("ann has %d tasks, then: %v", len(hers), err)
		}
		his, err := fill(bob)
		r.wantErr("bob's", err, cluster.ErrBusy)
		if len(his) != 3 || !strings.Contains(err.Error(), "all tasks") {
			t.Fatalf("bob has %d tasks, then: %v", len(his), err)
		}
		_, _, err = r.send(bob, "new", "x")
		r.wantErr("a submit with a key", err, cluster.ErrBusy)
		_, _, err = r.c.SubmitBatch(t.Context(), bob, entries(3, 0), true, batched("b", "x"))
		r.wantErr("a batch", err, cluster.ErrBusy)
		if again, said, err := r.send(ann, "k", "x"); err != nil || again != first || said != reply {
			t.Errorf("a repeat: %s, %q, %v", again, said, err)
		}

		r.restart()
		lower()
		_, _, err = r.send(bob, "new", "x")
		r.wantErr("after a restart", err, cluster.ErrBusy)
		for _, id := range hers {
			if _, err := r.c.Cancel(t.Context(), ann, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.send(bob, "new", "x"); err != nil {
			t.Errorf("once others are over: %v", err)
		}
		if fault := weightFault(r.c.m); fault != "" {
			t.Error(fault)
		}
	})
}

// weightFault compares what was added up with the tasks that are there.
func weightFault(m *machine) string {
	users, all := map[cluster.UserID]int{}, 0
	for _, e := range m.tasks {
		users[e.task.UserID] += e.weight
		all += e.weight
	}
	if fmt.Sprint(users) != fmt.Sprint(m.weight.users) || all != m.weight.all {
		return fmt.Sprintf("P7: the tasks in memory weigh %d (%v), noted are %d (%v)", all, users, m.weight.all, m.weight.users)
	}
	return ""
}

// F27: who watches and is slow keeps few large tasks alive that are over: it is
// told to resync. What is not over counts elsewhere.
func TestF27WatchersKeepFewLargeTasks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		large := cluster.TaskRequest{Image: "i", Inputs: []cluster.InputFile{{Path: "x", Content: make([]byte, 1<<20)}}}
		stop := func(n int) {
			t.Helper()
			for range n {
				made, err := r.c.Submit(t.Context(), ann, large, Once{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.c.Cancel(t.Context(), ann, made.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		const few = hubBytes>>20 - 1
		slow, slower := r.c.hub.Subscribe(0), r.c.hub.Subscribe(0)
		defer slow.Close()
		stop(few)
		for n := range 2 * few { // each came and went
			if _, err := slow.Next(t.Context()); err != nil {
				t.Fatalf("event %d: %v", n, err)
			}
		}
		stop(2)
		_, err := slower.Next(t.Context())
		r.wantErr("too many for the one that has read none", err, events.ErrResync)
		if _, err := slow.Next(t.Context()); err != nil {
			t.Errorf("the one that has read most: %v", err)
		}
	})
}
