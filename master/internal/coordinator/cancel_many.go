package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

const (
	cancelStep  = 256  // tasks that are decided about under one lock
	cancelPage  = 1000 // tasks in one look at the store
	routeCancel = "cancel"
)

// CancelRequest says which tasks are to stop: those named, or those that the
// filter takes.
type CancelRequest struct {
	IDs    []cluster.TaskID
	Filter cluster.TaskFilter
	Dry    bool // only count
}

// CancelReport counts what came of it. What was over by then is in none of
// them.
type CancelReport struct {
	Matched   int
	Cancelled int // waited, and are cancelled
	Requested int // are placed: their workers stop them
}

// CancelTasks stops many tasks of those that the principal may see. kept is the
// reply to the first request with the key, or nil. After an error some may be
// stopped and others not. The same request stops the rest; with a key it stops
// what the first one meant, no task that came later, and counts the whole.
func (c *Coordinator) CancelTasks(ctx context.Context, p cluster.Principal, r CancelRequest, once Named[CancelReport]) (report CancelReport, kept []byte, err error) {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return report, nil, err
	}
	name := db.KeyName{UserID: p.UserID, Route: routeCancel, Key: once.Key}
	if once.Key != "" {
		if err := c.reserve(name, once.Print); err != nil {
			return report, nil, err
		}
		defer c.release(name, "")
		switch first, known, err := c.keyOf(ctx, name, c.now()); {
		case err != nil:
			return report, nil, err
		case known && first.Print != once.Print:
			return report, nil, errOtherRequest
		case known:
			return report, first.Reply, nil
		}
	}
	if !r.Dry {
		done, err := c.turns.cancelling.take(ctx)
		if err != nil {
			return report, nil, err
		}
		defer done()
	}
	ids, again, err := c.meant(ctx, p, r, once)
	if err != nil {
		return report, nil, err
	}
	many := &cancelling{c: c, p: p}
	switch {
	case r.Dry:
		many.report.Matched = len(ids)
	case again:
		err = many.goOn(context.WithoutCancel(ctx), ids)
	default:
		if many.done = once.Done; many.done == nil {
			many.done = func(CancelReport) {}
		}
		err = many.run(context.WithoutCancel(ctx), ids)
	}
	if err == nil {
		err = c.keepReply(ctx, name, once, many.report)
	}
	return many.report, nil, err
}

// stoppable are the tasks that are meant and not over.
func (c *Coordinator) stoppable(ctx context.Context, p cluster.Principal, r CancelRequest) ([]cluster.TaskID, error) {
	if len(r.IDs) > 0 {
		ids := slices.Compact(slices.Sorted(slices.Values(r.IDs)))
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.DeleteFunc(ids, func(id cluster.TaskID) bool { return c.visible(p, id) == nil }), nil
	}
	f, page := r.Filter, cluster.Page{Limit: cancelPage}
	if !p.Admin() {
		if f.UserID != "" && f.UserID != p.UserID {
			return nil, nil
		}
		f.UserID = p.UserID
	}
	if f.Statuses = activeOf(f.Statuses); len(f.Statuses) == 0 {
		return nil, nil
	}
	var ids []cluster.TaskID
	for {
		tasks, next, err := c.store.ListTasks(ctx, f, page)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, t := range tasks {
			ids = append(ids, t.ID)
		}
		if next.IsZero() {
			return ids, nil
		}
		page.After = next
	}
}

// activeOf are those of the statuses in which there is something to stop; none
// stand for all.
func activeOf(statuses []cluster.Status) (active []cluster.Status) {
	for _, s := range []cluster.Status{cluster.StatusQueued, cluster.StatusAssigned, cluster.StatusRunning} {
		if len(statuses) == 0 || slices.Contains(statuses, s) {
			active = append(active, s)
		}
	}
	return active
}

// cancelling is one request under way.
type cancelling struct {
	c      *Coordinator
	p      cluster.Principal
	report CancelReport
	over   []cluster.TaskID // found to be over already
	// done hears what it comes to before the last task is stored, which the audit
	// entry goes with; nil: the entry follows.
	done func(CancelReport)
}

func (m *cancelling) run(ctx context.Context, ids []cluster.TaskID) error {
	var failed error
	for len(ids) > 0 {
		n := min(len(ids), cancelStep)
		var busy []cluster.TaskID
		var wait <-chan struct{}
		st := m.c.decide(func(now time.Time) (st step) {
			for _, id := range ids[:n] {
				one, settled := m.decide(now, id)
				if settled != nil {
					busy, wait = append(busy, id), settled
				}
				st.join(one)
			}
			return st
		})
		if last := len(st.writes) - 1; m.done != nil && failed == nil && last >= 0 && n == len(ids) && len(busy) == 0 {
			m.done(m.report)
			st.writes[last].sign(ctx, "", "")
		}
		failed = cmp.Or(failed, m.c.carryOut(ctx, st))
		if ids = append(ids[n:], busy...); len(busy) == len(ids) && wait != nil {
			if err := m.c.await(ctx, wait); err != nil {
				return err
			}
		}
	}
	return failed
}

// decide asks for the end of one task and counts it.
func (m *cancelling) decide(now time.Time, id cluster.TaskID) (st step, wait <-chan struct{}) {
	e := m.c.visible(m.p, id)
	if e == nil {
		m.over = append(m.over, id)
		return st, nil
	}
	st, wait, err := m.c.m.cancel(now, e, m.p.UserID)
	if err != nil || wait != nil {
		return step{}, wait
	}
	m.count(len(st.writes) > 0 && st.writes[0].Task.Terminal())
	return st, nil
}

// count takes note of one that is stopped; waited: it was not placed.
func (m *cancelling) count(waited bool) {
	m.report.Matched++
	if waited {
		m.report.Cancelled++
	} else {
		m.report.Requested++
	}
}

// keepReply stores the key and the reply, so that a repeat stops nothing that came
// later; also those of a request that has changed nothing.
func (c *Coordinator) keepReply(ctx context.Context, name db.KeyName, once Named[CancelReport], report CancelReport) error {
	if name.Key == "" {
		return nil
	}
	reply, err := once.Reply(report)
	if err != nil {
		return fmt.Errorf("writing the reply: %w", err)
	}
	now := c.now()
	key := db.Key{Name: name, Print: once.Print, Reply: reply, StoredAt: now, ExpiresAt: now.Add(KeyLifetime)}
	// Whoever gave up waiting repeats the request, and is answered by then.
	return unavailable(c.store.PutKey(context.WithoutCancel(ctx), key))
}
