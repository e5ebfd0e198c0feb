// Package queue owns the order of waiting tasks: higher priority first, then
// the older one. It is a view that the coordinator rebuilds from the store and
// must not be used concurrently. It knows nothing of workers.
//
// Tasks that ask for the same thing (their shape) stand behind each other: when
// the first of a shape cannot be placed, Scan passes over the rest of it, so a
// round costs by shapes and placements, not by waiting tasks.
package queue

import (
	"container/heap"
	"iter"
	"time"
)

// Item is one waiting task.
type Item struct {
	ID        string
	Priority  int
	CreatedAt time.Time // keeps a requeued task at its old place
	NotBefore time.Time // held back until then; zero: ready
	Shape     string    // equal for tasks that any worker takes or refuses alike
}

// key orders items.
type key struct {
	priority int
	created  int64 // Unix nanoseconds
	id       string
}

func (k key) before(o key) bool {
	if k.priority != o.priority {
		return k.priority > o.priority
	}
	if k.created != o.created {
		return k.created < o.created
	}
	return k.id < o.id
}

func keyOf(i Item) key {
	return key{priority: i.Priority, created: i.CreatedAt.UnixNano(), id: i.ID}
}

type shape struct {
	name  string
	items *treap[Item]
	head  key // where the shape stands in Queue.heads
}

// Queue is the order of waiting tasks. The zero value is not usable.
type Queue struct {
	items  map[string]Item
	shapes map[string]*shape
	heads  *treap[*shape] // shapes by their first item
	order  *treap[bool]   // all ready items, for their ranks
	held   holdHeap
}

// New makes an empty queue.
func New() *Queue {
	return &Queue{items: map[string]Item{}, shapes: map[string]*shape{}, heads: newTreap[*shape](), order: newTreap[bool]()}
}

// Len counts the waiting tasks, held ones included.
func (q *Queue) Len() int { return len(q.items) }

// Push adds an item; one with the same id is replaced.
func (q *Queue) Push(i Item) {
	q.Remove(i.ID)
	q.items[i.ID] = i
	if !i.NotBefore.IsZero() {
		heap.Push(&q.held, i)
		return
	}
	q.ready(i)
}

func (q *Queue) ready(i Item) {
	s := q.shapes[i.Shape]
	if s == nil {
		s = &shape{name: i.Shape, items: newTreap[Item]()}
		q.shapes[i.Shape] = s
	}
	s.items.insert(keyOf(i), i)
	q.order.insert(keyOf(i), true)
	q.rehead(s)
}

// rehead puts the shape where its first item belongs.
func (q *Queue) rehead(s *shape) {
	first := s.items.first()
	if s.head.id != "" && (first == nil || first.key != s.head) {
		q.heads.remove(s.head)
		s.head = key{}
	}
	switch {
	case first == nil:
		delete(q.shapes, s.name)
	case s.head.id == "":
		s.head = first.key
		q.heads.insert(s.head, s)
	}
}

// Remove takes an item out; false when it is not there.
func (q *Queue) Remove(id string) bool {
	i, ok := q.items[id]
	if !ok {
		return false
	}
	delete(q.items, id)
	if s := q.shapes[i.Shape]; s != nil && i.NotBefore.IsZero() {
		s.items.remove(keyOf(i))
		q.order.remove(keyOf(i))
		q.rehead(s)
	}
	// A held item stays in the heap and is passed over when it comes up.
	return true
}

// Release makes ready what was held back until now and gives the next such
// time; zero when nothing is held.
func (q *Queue) Release(now time.Time) time.Time {
	for len(q.held) > 0 {
		first := q.held[0]
		current, ok := q.items[first.ID]
		if stale := !ok || !current.NotBefore.Equal(first.NotBefore); !stale && first.NotBefore.After(now) {
			return first.NotBefore
		} else if heap.Pop(&q.held); stale {
			continue
		}
		current.NotBefore = time.Time{}
		q.items[current.ID] = current
		q.ready(current)
	}
	return time.Time{}
}

// Answer is what Scan's visitor decides about an item.
type Answer int

// The answers.
const (
	Take Answer = iota // it is placed: remove it, go on
	Skip               // not now, nor any other of its shape in this round
	Stop               // end the round
)

// Scan visits ready items in order. The visitor must not touch the queue.
func (q *Queue) Scan(visit func(Item) Answer) {
	n := q.heads.first()
	for n != nil {
		at, s := n.key, n.value
		switch visit(s.items.first().value) {
		case Take:
			q.Remove(at.id)
		case Skip:
		case Stop:
			return
		}
		n = q.heads.after(at)
	}
}

// Ready are the ids of all ready items, in order. The queue must not change
// meanwhile.
func (q *Queue) Ready() iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := q.order.first(); n != nil && yield(n.key.id); {
			n = q.order.after(n.key)
		}
	}
}

// Position is the item's place from 1 in the order of all ready items, held
// ones behind them; 0 when it is not there.
func (q *Queue) Position(id string) int {
	i, ok := q.items[id]
	if !ok {
		return 0
	}
	if !i.NotBefore.IsZero() {
		position := 1 + q.order.len()
		for _, h := range q.held {
			if c, ok := q.items[h.ID]; ok && c.NotBefore.Equal(h.NotBefore) && h.NotBefore.Before(i.NotBefore) {
				position++
			}
		}
		return position
	}
	return q.Place(i)
}

// Place is the position that an item which is ready would get.
func (q *Queue) Place(i Item) int { return 1 + q.order.rank(keyOf(i)) }

// Held reports whether the item is held back until its NotBefore.
func (q *Queue) Held(id string) bool { i, ok := q.items[id]; return ok && !i.NotBefore.IsZero() }

// Has reports whether the task waits here.
func (q *Queue) Has(id string) bool { _, ok := q.items[id]; return ok }

// IDs lists what waits here, in no order.
func (q *Queue) IDs() []string {
	ids := make([]string, 0, len(q.items))
	for id := range q.items {
		ids = append(ids, id)
	}
	return ids
}

// holdHeap has the earliest NotBefore first.
type holdHeap []Item

func (h holdHeap) Len() int { return len(h) }
func (h holdHeap) Less(a, b int) bool {
	if !h[a].NotBefore.Equal(h[b].NotBefore) {
		return h[a].NotBefore.Before(h[b].NotBefore)
	}
	return h[a].ID < h[b].ID
}
func (h holdHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }

// Push is for container/heap.
func (h *holdHeap) Push(x any) { *h = append(*h, x.(Item)) }

// Pop is for container/heap.
func (h *holdHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
