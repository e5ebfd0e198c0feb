package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func item(id string, priority, second int, shape string) Item {
	return Item{ID: id, Priority: priority, CreatedAt: epoch.Add(time.Duration(second) * time.Second), Shape: shape}
}

func order(q *Queue) []string {
	var ids []string
	q.Scan(func(i Item) Answer { ids = append(ids, i.ID); return Take })
	return ids
}

func TestOrderIsPriorityThenAge(t *testing.T) {
	q := New()
	q.Push(item("late", 50, 3, "a"))
	q.Push(item("early", 50, 1, "b"))
	q.Push(item("urgent", 90, 9, "a"))
	if got := order(q); !slices.Equal(got, []string{"urgent", "early", "late"}) {
		t.Fatalf("order %v", got)
	}
	if q.Len() != 0 {
		t.Fatalf("taken items remain: %d", q.Len())
	}
}

func TestSkipPassesOverTheShape(t *testing.T) {
	q := New()
	for n := range 5 {
		q.Push(item(fmt.Sprintf("big%d", n), 50, n, "big"))
	}
	q.Push(item("small", 50, 100, "small"))
	var seen []string
	q.Scan(func(i Item) Answer {
		seen = append(seen, i.ID)
		if i.Shape == "big" {
			return Skip
		}
		return Take
	})
	if !slices.Equal(seen, []string{"big0", "small"}) {
		t.Fatalf("visited %v", seen)
	}
	if q.Len() != 5 || q.Has("small") {
		t.Fatalf("left %d", q.Len())
	}
}

func TestHeldItemsWait(t *testing.T) {
	q := New()
	held := item("held", 99, 0, "a")
	held.NotBefore = epoch.Add(time.Minute)
	q.Push(held)
	q.Push(item("ready", 1, 1, "a"))
	if next := q.Release(epoch); !next.Equal(held.NotBefore) {
		t.Fatalf("next release %v", next)
	}
	if p := q.Position("held"); p != 2 {
		t.Fatalf("held item stands at %d", p)
	}
	if next := q.Release(held.NotBefore); !next.IsZero() {
		t.Fatalf("still held: %v", next)
	}
	if got := order(q); !slices.Equal(got, []string{"held", "ready"}) {
		t.Fatalf("order %v", got)
	}
}

// The queue against a sorted slice, under random operations.
func TestAgainstSortedSlice(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	q, model := New(), map[string]Item{}
	sorted := func() []Item {
		var ready []Item
		for _, i := range model {
			if i.NotBefore.IsZero() {
				ready = append(ready, i)
			}
		}
		sort.Slice(ready, func(a, b int) bool { return keyOf(ready[a]).before(keyOf(ready[b])) })
		return ready
	}
	now := epoch
	for step := range 4000 {
		id := fmt.Sprint(rng.IntN(60))
		switch rng.IntN(6) {
		case 0, 1, 2:
			i := item(id, rng.IntN(3), rng.IntN(1000), fmt.Sprint(rng.IntN(4)))
			if rng.IntN(4) == 0 {
				i.NotBefore = now.Add(time.Duration(1+rng.IntN(50)) * time.Second)
			}
			q.Push(i)
			model[id] = i
		case 3:
			_, has := model[id]
			if q.Remove(id) != has {
				t.Fatalf("step %d: remove %s, model has it: %v", step, id, has)
			}
			delete(model, id)
		case 4:
			now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
			q.Release(now)
			for k, i := range model {
				if !i.NotBefore.IsZero() && !i.NotBefore.After(now) {
					i.NotBefore = time.Time{}
					model[k] = i
				}
			}
		case 5:
			takes := rng.IntN(5)
			want := sorted()
			q.Scan(func(i Item) Answer {
				if takes == 0 {
					return Stop
				}
				if want[0].ID != i.ID {
					t.Fatalf("step %d: visited %s, want %s", step, i.ID, want[0].ID)
				}
				takes, want = takes-1, want[1:]
				delete(model, i.ID)
				return Take
			})
		}
		if q.Len() != len(model) {
			t.Fatalf("step %d: %d items, want %d", step, q.Len(), len(model))
		}
	}
	ready := slices.Collect(q.Ready())
	for n, i := range sorted() {
		if p := q.Position(i.ID); p != n+1 || len(ready) <= n || ready[n] != i.ID {
			t.Fatalf("%s stands at %d, want %d; ready are %v", i.ID, p, n+1, ready)
		}
	}
	if len(ready) != len(sorted()) {
		t.Fatalf("%d are ready, want %d", len(ready), len(sorted()))
	}
}
