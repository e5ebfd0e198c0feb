package mongodb

import (
	"context"
	"time"
)

// portion is how many rows of one kind go into one call. A call that outlasts its
// time is of unknown outcome, which costs more than many calls: so the size follows
// what the server has taken for each row.
type portion struct{ size int }

// A portion begins with firstPortion. A call shall take no more than the
// slowShare-th part of its time. The size doubles when as many rows would take less
// than the quickShare-th part, so that twice as many are far from slow as well.
const (
	firstPortion = 16
	slowShare    = 4
	quickShare   = 16
)

// after takes note of a call with so many rows of the kind. A whole one has carried
// them all out; another one may have ended before them.
func (p *portion) after(rows int, took, limit time.Duration, whole bool) {
	if rows == 0 {
		return
	}
	each := took / time.Duration(rows)
	switch {
	case took > limit/slowShare:
		p.size = max(1, min(rows/2, int(limit/slowShare/each)))
	case whole && each*time.Duration(p.size) < limit/quickShare:
		p.size = min(2*p.size, maxBatch)
	}
}

// portions are the writer's: what is quick for one kind may be slow for another. A
// server without a use for the filter reads all rows to replace one.
type portions struct {
	inserts, replaces portion // of tasks
	side              portion // of what belongs to them
}

func newPortions() portions {
	return portions{portion{firstPortion}, portion{firstPortion}, portion{firstPortion}}
}

// next is how many of the items go into one call, at least one.
func (p *portions) next(items []*item) int {
	inserts, replaces := 0, 0
	for n, it := range items {
		if it.task.w.Expect == 0 {
			inserts++
		} else {
			replaces++
		}
		if inserts > p.inserts.size || replaces > p.replaces.size {
			return n
		}
	}
	return len(items)
}

// timed makes a call and has its portion hear how long it took.
func (w *writer) timed(call func(context.Context) error, after func(took, limit time.Duration, whole bool)) func(context.Context) error {
	return func(ctx context.Context) error {
		began := time.Now()
		err := call(ctx)
		after(time.Since(began), w.s.opts.Timeout, err == nil)
		return err
	}
}
