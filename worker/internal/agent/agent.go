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
	Storage int64   // MiB
	GPU     int
}

// Config of an agent. All fields but those with a default must be set.
type Config struct {
	WorkerID string
	Session  string // new at each start of the process
	Version  string
	Labels   map[string]string
	Dir      string // absolute; the attempts' output folders are made in it
	Capacity Capacity
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
	wake   chan struct{}
	wg     sync.WaitGroup
	saying saying

	mu       sync.Mutex // never held over I/O
	machine  *Machine
	master   pb.MasterClient            // of the last registration
	logs     map[Ref]*logstream.Log     // of every attempt
	works    map[Ref]context.CancelFunc // of the work under way
	disks    map[Ref]diskUse            // of the containers that run
	base     context.Context            // of all actions; set while Run runs
	armed    time.Time                  // when the timer is to fire
	open     bool                       // inputs are taken
	engineUp bool                       // as it was logged last
	onLeft   func()                     // while the worker leaves
}

// defaultInterval is that of heartbeats until the master has named its own.
const defaultInterval = 5 * time.Second

// New returns an agent that does nothing before Run.
func New(cfg Config) *Agent {
	return &Agent{
		cfg:     cfg,
		log:     cfg.Log,
		limits:  newLimits(),
		spares:  newSpares(filepath.Join(cfg.Dir, "spare")),
		wake:    make(chan struct{}, 1),
		machine: NewMachine(Params{Seed: cfg.Seed, Interval: defaultInterval}),
		logs:    make(map[Ref]*logstream.Log),
		works:   make(map[Ref]context.CancelFunc),
		disks:   make(map[Ref]diskUse),
	}
}

// Session names this start of the worker.
func (a *Agent) Session() string { return a.cfg.Session }

// WorkerID names the worker.
func (a *Agent) WorkerID() string { return a.cfg.WorkerID }

// Version is the worker's.
func (a *Agent) Version() string { return a.cfg.Version }

// Run finds the containers of an earlier process, registers and works until
// ctx ends. It then tells the master, and returns when everything that it
// started has ended, containers aside, within 10 s.
func (a *Agent) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	containers, err := a.find(ctx)
	if err != nil {
		return nil // told to end before the engine answered
	}
	if err := a.sweep(containers); err != nil {
		return fmt.Errorf("clear what earlier attempts left: %w", err)
	}
	a.mu.Lock()
	a.base, a.open, a.engineUp = base, true, true
	for _, c := range containers {
		a.openLogLocked(c.Spec, c.ID)
	}
	a.mu.Unlock()
	a.input(func(m *Machine, now time.Time) []Action { return m.Found(now, containers) })

	a.loop(ctx)
	a.leave(base)
	a.mu.Lock()
	a.open = false
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
	spec.WorkerID = a.cfg.WorkerID
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

// MasterCalled says that the master has called back.
func (a *Agent) MasterCalled() {
	a.input(func(m *Machine, now time.Time) []Action { return m.MasterCalled(now) })
}

// Logs is the attempt's log, nil when there is no such attempt.
func (a *Agent) Logs(ref Ref) *logstream.Log {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs[ref]
}

// openLogLocked begins the attempt's log, once.
func (a *Agent) openLogLocked(spec executor.Spec, id string) {
	ref := refOf(spec.Key)
	if a.logs[ref] != nil {
		return
	}
	a.logs[ref] = logstream.New(logstream.Options{Limit: spec.LogLimit})
	if id != "" {
		a.storeLog(a.logs[ref], id)
	}
}

// storeLog tells the log where its older bytes are.
func (a *Agent) storeLog(log *logstream.Log, id string) {
	log.SetStored(func(ctx context.Context, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
		return a.cfg.Executor.Logs(ctx, id, from, sink)
	})
}
