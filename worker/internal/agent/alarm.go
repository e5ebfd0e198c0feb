package agent

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// alarm is an attempt's place in the heap of alarms.
type alarm struct {
	at    time.Time
	index int // -1: none is set
}

// alarms wakes attempts at their nearest deadline: one timer serves all.
type alarms struct{ heap alarmHeap }

func (q *alarms) set(a *attempt, at time.Time) {
	switch {
	case at.IsZero():
		q.clear(a)
	case a.alarm.index < 0:
		a.alarm.at = at
		heap.Push(&q.heap, a)
	case !at.Equal(a.alarm.at):
		a.alarm.at = at
		heap.Fix(&q.heap, a.alarm.index)
	}
}

func (q *alarms) clear(a *attempt) {
	if a.alarm.index >= 0 {
		heap.Remove(&q.heap, a.alarm.index)
	}
}

func (q *alarms) next() time.Time {
	if len(q.heap) == 0 {
		return time.Time{}
	}
	return q.heap[0].alarm.at
}

// due takes out the attempts whose time has come, in the order of acceptance.
func (q *alarms) due(now time.Time) []*attempt {
	var due []*attempt
	for len(q.heap) > 0 && reached(now, q.heap[0].alarm.at) {
		due = append(due, heap.Pop(&q.heap).(*attempt))
	}
	slices.SortFunc(due, func(x, y *attempt) int { return cmp.Compare(x.order, y.order) })
	return due
}

// alarmHeap implements heap.Interface.
type alarmHeap []*attempt

func (h alarmHeap) Len() int { return len(h) }

func (h alarmHeap) Less(i, j int) bool {
	if h[i].alarm.at.Equal(h[j].alarm.at) {
		return h[i].order < h[j].order
	}
	return h[i].alarm.at.Before(h[j].alarm.at)
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].alarm.index, h[j].alarm.index = i, j
}

func (h *alarmHeap) Push(x any) {
	a := x.(*attempt)
	a.alarm.index = len(*h)
	*h = append(*h, a)
}

func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.alarm.index = -1
	return a
}
