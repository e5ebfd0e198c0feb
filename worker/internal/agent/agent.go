package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"cloudai/proto/pb"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/logstream"
)

// Uplink is the way to the master.
type Uplink interface {
	// Connect returns a client and what RegisterWorker says of this worker's
	// identity and address. It may be called again after a failed registration
	// and then looks anew at what it depends on. Its error says what is missing.
	Connect(ctx context.Context) (pb.MasterClient, Introduction, error)
}

// Introduction is what the master needs to call this worker back, and to
// believe it.
type Introduction struct {
	Host        string
	Port        int
	Secret      string
	Fingerprint string
}

// Capacity is what the worker has to give.
type Capacity struct {
	CPU     float64 // cores
	Memory  int64   // MiB
	Storage int64   // MiB
	GPU     int
}

// HostUsage is what of the host is in use.
type HostUsage struct {
	CPU     float64 // cores
	Memory  int64   // MiB
	Storage int64   // MiB of what the worker has to give that the disks lack
	GPU     int
}

// Worker is who this worker is.
type Worker struct {
	ID      string
	Session string // new at each start of the process
	Version string
	Labels  map[string]string
}

// Config of an agent.
type Config struct {
	Worker   Worker
	Dir      string // absolute; the attempts' output folders are made in it
	Capacity Capacity
	// DiskReserve is kept free of the disk of Dir, in MiB; nil: see [Reserve].
	DiskReserve *int64
	// RestartGrace is how long the tasks of a worker that announced its stop
	// wait for its return.
	RestartGrace time.Duration
	Returning    bool             // the last process with this id announced its stop
	StopTasks    bool             // at the end of Run stop the tasks, too
	Usage        func() HostUsage // must not block
	Executor     executor.Executor
	Uplink       Uplink
	Log          *slog.Logger
	Seed         uint64 // of the jitter
}

// Agent feeds a machine and carries its actions out. Its methods are safe for
// concurrent use.
type Agent struct {
	cfg    Config
	log    *slog.Logger
	limits limits
	spares *spares
	notes  *engineNotes
	wake   chan struct{}
	wg     sync.WaitGroup
	saying saying
	// callback watches for the master's calls.
	callback callback

	mu       sync.Mutex // never held over I/O
	machine  *Machine
	master   pb.MasterClient  // of the last registration
	attempts map[Ref]*holding // of every attempt that the machine knows
	armed    time.Time        // when the timer is to fire
	life     life
	engineUp bool // as it was logged last
}

// holding is what an attempt has beside its state.
type holding struct {
	log    *logstream.Log
	cancel context.CancelFunc // of the work under way
	disk   diskUse            // of its output, while it runs
}

// life is how far Run is.
type life struct {
	open   bool            // inputs are taken
	base   context.Context // of all actions
	onLeft func()          // called when nothing remains to be waited for
}

// defaultInterval is that of heartbeats until the master has named its own.
const defaultInterval = 5 * time.Second

// New returns an agent that does nothing before Run.
func New(cfg Config) *Agent {
	return &Agent{
		cfg:      cfg,
		log:      cfg.Log,
		limits:   newLimits(),
		spares:   newSpares(filepath.Join(cfg.Dir, "spare")),
		notes:    &engineNotes{path: filepath.Join(cfg.Dir, engineFile)},
		wake:     make(chan struct{}, 1),
		machine:  NewMachine(Params{Seed: cfg.Seed, Interval: defaultInterval}),
		attempts: make(map[Ref]*holding),
	}
}

// Session names this start of the worker.
func (a *Agent) Session() string { return a.cfg.Worker.Session }

// WorkerID names the worker.
func (a *Agent) WorkerID() string { return a.cfg.Worker.ID }

// Version is the worker's.
func (a *Agent) Version() string { return a.cfg.Worker.Version }

// Run finds the containers of an earlier process, registers and works until
// ctx ends. It then tells the master, and returns when everything that it
// started has ended, containers aside, within 10 s.
func (a *Agent) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	found, err := a.find(ctx)
	if err != nil {
		return nil // told to end before the engine answered
	}
	containers, engine := found.containers, found.engine
	absences, err := a.notes.absences(time.Now(), engine.Instance, engine.LiveRestore)
	if err != nil {
		return fmt.Errorf("read when the engine was away: %w", err)
	}
	gone, err := a.sweep(containers)
	if err != nil {
		return fmt.Errorf("clear what earlier attempts left: %w", err)
	}
	a.mu.Lock()
	a.life, a.engineUp = life{open: true, base: base}, true
	for _, c := range containers {
		if !c.HalfMade {
			a.openLogLocked(c.Spec, c.ID)
		}
	}
	a.mu.Unlock()
	marks := a.marks(containers)
	a.input(func(m *Machine, now time.Time) []Action {
		m.Gone(gone)
		m.Marked(marks)
		m.Answered(found.asked)
		return m.Found(now, containers, absences)
	})

	a.loop(ctx)
	a.leave(base)
	a.mu.Lock()
	a.life.open = false
	a.mu.Unlock()
	cancel()
	a.wg.Wait()
	return a.spares.clear()
}

// loop ticks the machine at its deadlines.
func (a *Agent) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		a.mu.Lock()
		next := a.machine.Deadline()
		a.armed = next
		a.mu.Unlock()
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
			a.input(func(m *Machine, now time.Time) []Action { return m.Tick(now) })
		}
	}
}

// Assign accepts an attempt; see Machine.Assign.
func (a *Agent) Assign(spec executor.Spec) error {
	spec.WorkerID = a.cfg.Worker.ID
	spec.OutputDir = a.outputDir(refOf(spec.Key))
	err := ErrRefused
	a.input(func(m *Machine, now time.Time) []Action {
		var actions []Action
		if actions, err = m.Assign(now, spec); err == nil && m.Knows(refOf(spec.Key)) {
			a.openLogLocked(spec, "")
		}
		return actions
	})
	return err
}

// Cancel stops an attempt; see Machine.Cancel.
func (a *Agent) Cancel(ref Ref, clusterID string) error {
	err := ErrUnknown
	a.input(func(m *Machine, now time.Time) []Action {
		var actions []Action
		actions, err = m.Cancel(now, ref, clusterID)
		return actions
	})
	return err
}

// MasterCalled says that the master has called back. A call that comes before Run
// takes inputs is noted: it tells how a refusal of the first registration is meant.
func (a *Agent) MasterCalled() {
	a.callback.came(a.log)
	a.mu.Lock()
	if a.life.base == nil {
		a.machine.MasterCalled(time.Now()) // wants nothing done yet
	}
	a.mu.Unlock()
	a.input(func(m *Machine, now time.Time) []Action { return m.MasterCalled(now) })
}

// Uses reports whether an attempt needs an image for which that is true.
func (a *Agent) Uses(is func(image string) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.machine.uses(is)
}

// Logs is the attempt's log, nil when there is no such attempt.
func (a *Agent) Logs(ref Ref) *logstream.Log {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.attempts[ref]; h != nil {
		return h.log
	}
	return nil
}

// openLogLocked begins the attempt's log, once.
func (a *Agent) openLogLocked(spec executor.Spec, id string) {
	ref := refOf(spec.Key)
	if a.attempts[ref] != nil {
		return
	}
	h := &holding{log: logstream.New(logstream.Options{Limit: spec.LogLimit})}
	a.attempts[ref] = h
	if id != "" {
		a.storeLog(h.log, id)
	}
}

// storeLog tells the log where its older bytes are.
func (a *Agent) storeLog(log *logstream.Log, id string) {
	log.SetStored(func(ctx context.Context, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
		return a.cfg.Executor.Logs(ctx, id, from, sink)
	})
}
