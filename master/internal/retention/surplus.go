package retention

import (
	"container/heap"
	"slices"
)

// Surplus finds what has to go for all logs and files to be within a bound:
// those of the tasks that ended first. It is shown everything once, in any
// order, and keeps no more than a bounded number of candidates.
type Surplus struct {
	bound int64
	most  int
	total int64
	held  latestFirst
}

// NewSurplus looks for at most so many candidates.
func NewSurplus(bound int64, most int) *Surplus { return &Surplus{bound: bound, most: most} }

// Stays counts bytes that cannot go.
func (s *Surplus) Stays(bytes int64) { s.total += bytes }

// Add shows a candidate.
func (s *Surplus) Add(c Candidate) {
	if c.bytes() == 0 {
		return
	}
	s.total += c.bytes()
	heap.Push(&s.held, c)
	if len(s.held) > s.most {
		heap.Pop(&s.held) // the one that ended last of them
	}
}

// Total is the size of all that was shown.
func (s *Surplus) Total() int64 { return s.total }

// Choose gives what has to go, what ended first in front; no more than needed.
// more says that even so the rest is beyond the bound and there may be others.
func (s *Surplus) Choose() (chosen []Candidate, more bool) {
	oldest := slices.Clone(s.held)
	slices.SortFunc(oldest, func(a, b Candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	over := s.total - s.bound
	for _, c := range oldest {
		if over <= 0 {
			return chosen, false
		}
		chosen = append(chosen, c)
		over -= c.bytes()
	}
	return chosen, over > 0 && len(s.held) == s.most
}

// latestFirst is a heap with the candidate on top that ended last.
type latestFirst []Candidate

func (h latestFirst) Len() int           { return len(h) }
func (h latestFirst) Less(i, j int) bool { return h[j].before(h[i]) }
func (h latestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *latestFirst) Push(c any) { *h = append(*h, c.(Candidate)) }

// Pop implements heap.Interface.
func (h *latestFirst) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
