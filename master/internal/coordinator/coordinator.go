package coordinator

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/events"
	"cloudai/master/internal/retention"
	"cloudai/master/internal/scheduler"
)

// Config is what a Coordinator is made of.
type Config struct {
	Store     db.Store
	Client    WorkerClient
	Logs      LogKeeper
	Files     FileKeeper
	Policy    scheduler.Policy
	Log       *slog.Logger
	ClusterID string

	HeartbeatInterval time.Duration // told to workers
	HeartbeatTimeout  time.Duration // a worker silent for so long is lost
	LogLimit          int64         // bytes per attempt

	Version string // of this master

	Retention retention.Policy // what of finished tasks goes by itself

	// Observe hears of every committed change of a task, after the decision; it
	// must not block. nil: nobody does.
	Observe func(TaskChange)
}

// Times that calls to workers and the shutdown may take.
const (
	probeTimeout  = 3 * time.Second
	callTimeout   = 5 * time.Second
	progressDelay = 50 * time.Millisecond
)

// Coordinator drives the machine. Its methods are safe for concurrent use.
type Coordinator struct {
	store     db.Store
	client    WorkerClient
	logs      LogKeeper
	files     FileKeeper
	log       *slog.Logger
	clusterID string
	now       Clock
	newID     func() string
	hub       *events.Hub[Event]

	mu      sync.Mutex // guards m and editing; never held over I/O
	m       *machine
	editing map[cluster.TaskID]int // calls that change a task that is over; it is not pruned meanwhile

	wake      chan struct{}
	fatal     chan error
	recovered atomic.Bool
	checked   atomic.Pointer[InvariantReport] // the last look at the invariants
	errands   errands
	turns     turns
	observe   func(TaskChange)

	keep    retention.Policy
	remains []remnant // guarded by turns.pruning
}

// New makes a Coordinator; Recover and Run bring it to life.
func New(cfg Config) *Coordinator {
	m := newMachine(rules{
		HeartbeatInterval: cfg.HeartbeatInterval, HeartbeatTimeout: cfg.HeartbeatTimeout,
		LogLimit: cfg.LogLimit, ProgressDelay: progressDelay, Version: cfg.Version,
	}, cfg.Policy, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), newLease) //nolint:gosec // for pauses; leases come from crypto/rand
	return &Coordinator{
		store: cfg.Store, client: cfg.Client, logs: cfg.Logs, files: cfg.Files, log: cfg.Log,
		clusterID: cfg.ClusterID, now: time.Now, newID: newTaskID, hub: events.NewHub(hubEvents, hubBytes, Event.weight), m: m, editing: map[cluster.TaskID]int{},
		wake: make(chan struct{}, 1), fatal: make(chan error, 1), turns: newTurns(),
		keep: cfg.Retention, observe: cfg.Observe,
	}
}

// newTaskID gives 80 random bits as 16 lower-case letters and digits.
func newTaskID() string { return strings.ToLower(crand.Text()[:16]) }

func newLease() string { return strings.ToLower(crand.Text()) }

// Run dispatches and watches deadlines until the context ends or a second
// master is found writing; it has joined every goroutine when it returns.
func (c *Coordinator) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	c.errands.begin(ctx)
	defer c.errands.end()
	defer stop()
	c.errands.run(c.forgetKeys)
	c.errands.run(c.patrol)
	c.errands.run(c.sweeps)
	c.errands.run(c.retain)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.fatal:
			return err
		case <-c.wake:
		case <-timer.C:
		}
		next := c.round(ctx)
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(0, next.Sub(c.now())))
		}
	}
}

// round does what is due and dispatches; it gives the nearest deadline.
func (c *Coordinator) round(ctx context.Context) time.Time {
	ctx = context.WithoutCancel(ctx)
	if err := c.carryOut(ctx, c.decide(c.m.tick)); err != nil {
		c.log.Warn("a due change was not stored; it is tried again", "error", err)
	}
	if err := c.carryOut(ctx, c.decide(c.m.dispatch)); err != nil {
		c.log.Warn("an assignment was not stored; it is tried again", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.next
}

func (c *Coordinator) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// carryOut does what a step asks for. The error is the first that a write of
// the step itself met; what a write brings about in turn is carried out too.
func (c *Coordinator) carryOut(ctx context.Context, st step) error {
	if st.fatal != nil {
		select {
		case c.fatal <- st.fatal:
		default:
		}
		return fmt.Errorf("%w: %w", cluster.ErrUnavailable, st.fatal)
	}
	failed := c.abandon(ctx, &st)
	for _, id := range st.workers {
		failed = cmp.Or(failed, c.saveWorker(ctx, id))
	}
	failed = cmp.Or(failed, c.commit(ctx, st.writes))
	c.clear(st)
	c.tell(st)
	return failed
}

// clear removes the files of attempts that are over and have no result.
func (c *Coordinator) clear(st step) {
	for _, o := range st.retract {
		if err := c.files.Retract(o.owner, o.ref); err != nil {
			c.log.Warn("taking published files back", "task_id", o.ref.TaskID, "attempt", o.ref.Attempt, "error", err)
		}
	}
	for _, ref := range st.discard {
		if err := c.files.Discard(ref); err != nil {
			c.log.Warn("discarding staged files", "task_id", ref.TaskID, "attempt", ref.Attempt, "error", err)
		}
	}
}

// abandon ends the logs of lost attempts. A loss whose log cannot be ended is
// not stored now: it is taken out of the step and tried again, so that no task
// goes on without its log being whole.
func (c *Coordinator) abandon(ctx context.Context, st *step) error {
	var failed error
	for _, l := range st.abandon {
		err := c.logs.Abandon(context.WithoutCancel(ctx), l.ref, l.reason)
		if err == nil {
			continue
		}
		c.log.Warn("the log of a lost attempt cannot be ended; tried again", "task_id", l.ref.TaskID, "attempt", l.ref.Attempt, "error", err)
		failed = cmp.Or(failed, unavailable(err))
		at := slices.Index(st.writes, l.write)
		st.writes = slices.Delete(st.writes, at, at+1)
		c.decide(func(now time.Time) step { return c.m.committed(now, l.write, db.ErrUnavailable) })
	}
	return failed
}

// commit stores the writes and feeds the answers back. The context does not
// bound it: what has been decided must be settled.
func (c *Coordinator) commit(ctx context.Context, writes []*write) error {
	if len(writes) == 0 {
		return nil
	}
	batch := make([]db.Write, len(writes))
	for n, w := range writes {
		batch[n] = w.Write
	}
	answers := c.store.Commit(context.WithoutCancel(ctx), batch)
	var failed error
	next := c.decide(func(now time.Time) (st step) {
		for n, w := range writes {
			w.signed(answers[n])
			st.join(c.m.committed(now, w, answers[n]))
			failed = cmp.Or(failed, unavailable(answers[n]))
		}
		return st
	})
	if err := c.carryOut(ctx, next); err != nil {
		c.log.Warn("a change that follows was not stored; it is tried again", "error", err)
	}
	return failed
}

// unavailable is what a caller hears of a store's failure.
func unavailable(err error) error {
	if err == nil || errors.Is(err, cluster.ErrUnavailable) || errors.Is(err, cluster.ErrQuota) {
		return err
	}
	if errors.Is(err, db.ErrFull) {
		return cluster.StoreFull(err)
	}
	return cluster.StoreUnavailable(err)
}

// saveWorker stores the worker's present value.
func (c *Coordinator) saveWorker(ctx context.Context, id cluster.WorkerID) error {
	done, err := c.turns.saving.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	c.mu.Lock()
	w := c.m.workers[id]
	var value cluster.Worker
	if w != nil {
		value, w.unsaved = w.worker, false
	}
	c.mu.Unlock()
	if w == nil {
		return nil
	}
	if err := c.store.PutWorker(context.WithoutCancel(ctx), value); err != nil {
		c.decide(func(now time.Time) step { return c.m.workerNotSaved(now, id) })
		return unavailable(err)
	}
	c.tell(c.decide(func(time.Time) step { return c.m.workerSaved(id, value.Session) }))
	return nil
}

// tell sends the step's messages to workers, each in a goroutine that Run
// joins.
func (c *Coordinator) tell(st step) {
	for _, id := range st.forget {
		c.client.Forget(id)
	}
	for _, f := range st.follows {
		c.logs.Follow(f.ref, f.to)
	}
	for _, a := range st.assigns {
		c.call(callTimeout, func(ctx context.Context) step {
			err := c.client.Assign(ctx, a.to, a.order)
			return c.decide(func(now time.Time) step { return c.m.assignAnswered(now, a, err) })
		})
	}
	for _, o := range st.cancels {
		c.call(callTimeout, func(ctx context.Context) step {
			err := c.client.Cancel(ctx, o.to, o.ref)
			return c.decide(func(now time.Time) step { return c.m.cancelAnswered(now, o, err) })
		})
	}
	for _, to := range st.hellos {
		c.call(probeTimeout, func(ctx context.Context) step {
			h, err := c.client.Hello(ctx, to)
			return c.decide(func(now time.Time) step { return c.m.helloAnswered(now, to, h, err) })
		})
	}
	for _, w := range st.readback {
		c.call(0, func(ctx context.Context) step { return c.readBack(ctx, w) })
	}
}

// call runs do in a goroutine of Run's; without a timeout it has Run's
// lifetime. After Run it does nothing: the next start settles what is open.
func (c *Coordinator) call(timeout time.Duration, do func(context.Context) step) {
	c.errands.run(func(ctx context.Context) {
		bounded, cancel := ctx, context.CancelFunc(func() {})
		if timeout > 0 {
			bounded, cancel = context.WithTimeout(ctx, timeout)
		}
		defer cancel()
		if err := c.carryOut(ctx, do(bounded)); err != nil {
			c.log.Warn("a change was not stored; it is tried again", "error", err)
		}
	})
}

// readBack asks the store what became of a write until it answers.
func (c *Coordinator) readBack(ctx context.Context, w *write) step {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		t, err := c.store.Task(ctx, w.Task.ID)
		if absent := isNotFound(err); err == nil || absent {
			return c.decide(func(now time.Time) step { return c.m.readBack(now, w, t, absent) })
		}
		select {
		case <-ctx.Done():
			return step{}
		case <-time.After(pause):
		}
	}
}

// await waits for a pending write to be over.
func (c *Coordinator) await(ctx context.Context, settled <-chan struct{}) error {
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", cluster.ErrUnavailable, ctx.Err())
	}
}

func isNotFound(err error) bool { return errors.Is(err, cluster.ErrNotFound) }

// sortedKeys makes what follows from a map the same in every run.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
