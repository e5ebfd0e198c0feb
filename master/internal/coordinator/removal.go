package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/events"
)

// known finds a worker that people may ask about; nil when there is none, or
// when an administrator has removed it.
func (m *machine) known(id cluster.WorkerID) *worker {
	if w := m.workers[id]; w != nil && !w.removed() {
		return w
	}
	return nil
}

// removed reports whether an administrator has removed the worker, and the
// store knows it.
func (w *worker) removed() bool { return w.worker.Barred && !w.barring }

func noWorker(id cluster.WorkerID) error {
	return fmt.Errorf("%w: no worker %s", cluster.ErrNotFound, id)
}

// drain has a worker finish what it has and get nothing new, or ends that.
func (m *machine) drain(id cluster.WorkerID, on bool) (st step, err error) {
	w := m.known(id)
	if w == nil {
		return st, noWorker(id)
	}
	if w.worker.Draining == on && !w.unsaved {
		return st, nil
	}
	w.worker.Draining, w.stale, w.unsaved = on, true, true
	st.workers = []cluster.WorkerID{w.worker.ID}
	st.events = []Event{workerEvent(w)}
	st.wake = !on
	return st, nil
}

// remove begins to take a worker out: it gets nothing new while its bar is
// written. removed carries on.
func (m *machine) remove(id cluster.WorkerID, force bool) (st step, err error) {
	w := m.known(id)
	switch {
	case w == nil:
		return st, noWorker(id)
	case w.barring:
		return st, fmt.Errorf("%w: worker %s is being removed", cluster.ErrUnavailable, id)
	case len(w.attempts) > 0 && !force:
		return st, fmt.Errorf("%w: worker %s still has tasks (%d); drain it and wait, or force it, and they run elsewhere", cluster.ErrConflict, id, len(w.attempts))
	}
	w.worker.Barred, w.barring, w.stale = true, true, true
	st.workers = []cluster.WorkerID{w.worker.ID}
	return st, nil
}

// removed takes the outcome of writing a worker's bar. Once that is on the disk
// its attempts are lost, and what it says of them is stale, which makes it stop
// their containers. Before, none may be stopped: a master that starts without
// the bar would take them for ones that never began.
func (m *machine) removed(now time.Time, id cluster.WorkerID, err error) (st step) {
	w := m.workers[id]
	w.barring, w.stale = false, true
	if err != nil {
		w.worker.Barred, w.unsaved = false, true // the disk may have it otherwise
		m.arm(now.Add(storeRest))
		st.wake = true
		return st
	}
	w.worker.Draining = false
	st = m.loseWorker(now, w)
	m.dropWorker(w)
	return st
}

// readmit ends the bar of a worker, which registers next. First the loss of its
// tasks must be on the disk: a master that starts in between would take them
// for ones that it still has. No session of before counts any more, so that the
// one that registers begins afresh, also when it has been expelled as such.
func (m *machine) readmit(id cluster.WorkerID) (st step, err error) {
	w := m.workers[id]
	switch {
	case w == nil || !w.worker.Barred:
		return st, nil
	case w.barring:
		return st, fmt.Errorf("%w: worker %s is being removed", cluster.ErrUnavailable, id)
	case len(w.attempts) > 0:
		return st, fmt.Errorf("%w: %d tasks are still being taken off worker %s", cluster.ErrUnavailable, len(w.attempts), id)
	}
	w.worker.Barred, w.worker.Session, w.unsaved = false, "", true
	m.addWorker(w)
	st.workers = []cluster.WorkerID{w.worker.ID}
	return st, nil
}

// expel answers a removed worker that wants to register: while it has
// containers it is told to stop them.
func (m *machine) expel(r Registration) (reply RegisterReply, st step, err error) {
	if len(r.Running) == 0 {
		return reply, st, fmt.Errorf("%w: %s was removed by an administrator; register it again with `register %s %s`",
			cluster.ErrBarred, r.WorkerID, r.WorkerID, r.Address)
	}
	w := m.workers[r.WorkerID]
	if w == nil || !w.removed() {
		return reply, st, fmt.Errorf("%w: worker %s was registered again meanwhile", cluster.ErrUnavailable, r.WorkerID)
	}
	w.worker.Session, w.worker.Fingerprint, w.unsaved = r.Session, r.Fingerprint, true
	return RegisterReply{HeartbeatInterval: m.HeartbeatInterval, Stop: refsOf(r.Running)},
		step{workers: []cluster.WorkerID{w.worker.ID}}, nil
}

func refsOf(running []cluster.RunningAttempt) (refs []cluster.AttemptRef) {
	for _, r := range running {
		refs = append(refs, r.Ref)
	}
	return refs
}

// Drain has a worker finish what it has and get nothing new; with on false it
// gets tasks again.
func (c *Coordinator) Drain(ctx context.Context, p cluster.Principal, id cluster.WorkerID, on bool) (WorkerView, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return WorkerView{}, err
	}
	st, err := c.try(func(time.Time) (step, error) { return c.m.drain(id, on) })
	if err != nil {
		return WorkerView{}, err
	}
	if err := c.carryOut(ctx, st); err != nil {
		return WorkerView{}, err
	}
	return c.Worker(ctx, p, id)
}

// RemoveWorker takes a worker out and bars its id until it is registered
// again. cluster.ErrConflict when it has tasks and force is false.
func (c *Coordinator) RemoveWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, force bool) error {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return err
	}
	st, err := c.try(func(time.Time) (step, error) { return c.m.remove(id, force) })
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what has begun must be settled
	barred := c.carryOut(ctx, st)
	after := c.carryOut(ctx, c.decide(func(now time.Time) step { return c.m.removed(now, id, barred) }))
	return cmp.Or(barred, after)
}

// joinTimeout is how long a worker that was called by its address may take to
// register.
const joinTimeout = 10 * time.Second

// RegisterWorker calls a worker at host:port, has it prove that it knows the
// join token, ends a bar of its id and waits until it has registered.
// cluster.ErrConflict when nobody or another worker answers there, or one that
// does not know the token.
func (c *Coordinator) RegisterWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, address string) (WorkerView, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return WorkerView{}, err
	}
	if err := CheckWorker(id, address); err != nil {
		return WorkerView{}, err
	}
	call, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	hello, err := c.client.Introduce(call, id, address)
	switch {
	case err != nil:
		return WorkerView{}, fmt.Errorf("%w: worker %s cannot be called at %s: %v", cluster.ErrConflict, id, address, err) //nolint:errorlint // what kind of error it is there is none of the caller's
	case hello.WorkerID != id:
		return WorkerView{}, fmt.Errorf("%w: at %s answers worker %s, not %s", cluster.ErrConflict, address, hello.WorkerID, id)
	}
	st, err := c.try(func(time.Time) (step, error) { return c.m.readmit(id) })
	if err != nil {
		return WorkerView{}, err
	}
	if err := c.carryOut(ctx, st); err != nil {
		return WorkerView{}, err
	}
	v, ok, err := c.awaitJoined(ctx, p, hello)
	if err == nil && !ok {
		err = fmt.Errorf("%w: worker %s answers at %s and knows the join token, but has not registered within %s; its log says what keeps it from calling this master",
			cluster.ErrUnavailable, id, address, joinTimeout)
	}
	return v, err
}

// awaitJoined waits until the worker that has answered is registered and can be
// called; ok is false when it has not in time.
func (c *Coordinator) awaitJoined(ctx context.Context, p cluster.Principal, hello Hello) (v WorkerView, ok bool, err error) {
	wait, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	changes := c.hub.Subscribe(0)
	defer func() { changes.Close() }()
	for {
		if v, ok := c.joined(p, hello); ok {
			return v, true, nil
		}
		switch _, err := changes.Next(wait); {
		case err == nil:
		case errors.Is(err, events.ErrResync): // much else has happened: look again
			changes.Close()
			changes = c.hub.Subscribe(0)
		case ctx.Err() != nil:
			return v, false, fmt.Errorf("%w: %w", cluster.ErrUnavailable, ctx.Err())
		default:
			return v, false, nil
		}
	}
}

// joined is the worker that has answered, once it is registered and can be
// called.
func (c *Coordinator) joined(p cluster.Principal, hello Hello) (WorkerView, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.m.known(hello.WorkerID)
	if w == nil || w.worker.Session != hello.Session || w.worker.Fingerprint != hello.Fingerprint || w.worker.Lost || !w.reachable {
		return WorkerView{}, false
	}
	return c.m.workerView(w, p), true
}

// CheckWorker says what is wrong with a worker that is registered by its address.
func CheckWorker(id cluster.WorkerID, address string) error {
	var bad cluster.InvalidError
	add := func(field, message string) {
		bad.Fields = append(bad.Fields, cluster.FieldError{Location: field, Message: message})
	}
	if !cluster.ValidName(string(id)) {
		add("worker_id", "must be 1 to 128 letters, digits, '.', '_' or '-', beginning with a letter or digit")
	}
	if !cluster.ValidAddress(address) {
		add("address", "must be host:port, for instance 10.0.0.7:50052")
	}
	if len(bad.Fields) > 0 {
		return &bad
	}
	return nil
}
