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
// stopped and others not; the same request stops the rest.
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
	if r.Dry {
		ids, err := c.stoppable(ctx, p, r)
		if err != nil {
			return report, nil, err
		}
		report.Matched = len(ids)
		return report, nil, c.keepReply(ctx, name, once, report)
	}
	select {
	case c.stopping <- struct{}{}: // two that hold one back each would wait for each other's
		defer func() { <-c.stopping }()
	case <-ctx.Done():
		return report, nil, fmt.Errorf("%w: %w", cluster.ErrUnavailable, ctx.Err())
	}
	ids, err := c.stoppable(ctx, p, r)
	if err != nil {
		return report, nil, err
	}
	many := &cancelling{c: c, p: p}
	if err := many.run(context.WithoutCancel(ctx), ids); err != nil {
		return many.report, nil, err
	}
	return many.report, nil, many.last(context.WithoutCancel(ctx), name, once)
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

// cancelling is one request under way. The last write is held back, so that the
// key and the reply can go with it.
type cancelling struct {
	c      *Coordinator
	p      cluster.Principal
	report CancelReport
	held   *write
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
		if m.held != nil {
			st.writes = append([]*write{m.held}, st.writes...)
			m.held = nil
		}
		if last := len(st.writes) - 1; last >= 0 {
			m.held, st.writes = st.writes[last], st.writes[:last]
		}
		failed = cmp.Or(failed, m.c.carryOut(ctx, st))
		if ids = append(ids[n:], busy...); len(busy) == len(ids) && wait != nil {
			if err := m.c.await(ctx, wait); err != nil {
				return err
			}
		}
	}
	if failed != nil && m.held != nil { // it is decided, so it must be settled
		_ = m.c.carryOut(ctx, step{writes: []*write{m.held}}) // the first failure is told
	}
	return failed
}

// decide asks for the end of one task and counts it.
func (m *cancelling) decide(now time.Time, id cluster.TaskID) (st step, wait <-chan struct{}) {
	e := m.c.visible(m.p, id)
	if e == nil {
		return st, nil
	}
	st, wait, err := m.c.m.cancel(now, e, m.p.UserID)
	if err != nil || wait != nil {
		return step{}, wait
	}
	m.report.Matched++
	if len(st.writes) > 0 && st.writes[0].Task.Terminal() {
		m.report.Cancelled++
	} else {
		m.report.Requested++
	}
	return st, nil
}

// last stores what was held back, and the key with it; the key alone when there
// was nothing to write.
func (m *cancelling) last(ctx context.Context, name db.KeyName, once Named[CancelReport]) error {
	if m.held == nil {
		return m.c.keepReply(ctx, name, once, m.report)
	}
	var unwritten error
	if name.Key != "" {
		var key db.Key
		if key, unwritten = m.c.replyKey(name, once, m.report); unwritten == nil {
			m.held.Key = keyFor(&key, m.held)
		}
	}
	return cmp.Or(m.c.carryOut(ctx, step{writes: []*write{m.held}}), unwritten)
}

// replyKey is a request's key with its reply, of no task yet.
func (c *Coordinator) replyKey(name db.KeyName, once Named[CancelReport], report CancelReport) (db.Key, error) {
	reply, err := once.Reply(report)
	if err != nil {
		return db.Key{}, fmt.Errorf("writing the reply: %w", err)
	}
	now := c.now()
	return db.Key{Name: name, Print: once.Print, Reply: reply, StoredAt: now, ExpiresAt: now.Add(KeyLifetime)}, nil
}

// keepReply stores the key and the reply of a request that has changed nothing,
// so that a repeat of it does not stop what came later.
func (c *Coordinator) keepReply(ctx context.Context, name db.KeyName, once Named[CancelReport], report CancelReport) error {
	if name.Key == "" {
		return nil
	}
	key, err := c.replyKey(name, once, report)
	if err != nil {
		return err
	}
	// Whoever gave up waiting repeats the request, and is answered by then.
	return unavailable(c.store.PutKey(context.WithoutCancel(ctx), key))
}
