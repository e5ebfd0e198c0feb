package coordinator

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/queue"
	"cloudai/master/internal/scheduler"
	"cloudai/master/internal/telemetry"
)

// rules are the numbers that the machine's decisions hang on.
type rules struct {
	HeartbeatInterval time.Duration
	HeartbeatTimeout  time.Duration
	LogLimit          int64 // bytes
	// ProgressDelay is how long progress may wait for company before it is
	// written.
	ProgressDelay time.Duration
	Version       string // of this master
}

// machine holds every decision about tasks and workers. Its methods take the
// time and return a step; they never block. Not safe for concurrent use.
type machine struct {
	rules
	policy   scheduler.Policy
	rng      *rand.Rand    // for jitter
	newLease func() string // random, never twice the same

	tasks    map[cluster.TaskID]*task     // those that are not terminal
	entering entering                     // those of them that are not stored yet
	weight   weight                       // of all in tasks
	workers  map[cluster.WorkerID]*worker // all that are registered
	order    []*worker                    // the same by id
	offers   []scheduler.Candidate        // of order, as of the last look at them
	queue    *queue.Queue                 // the committed waiting ones
	last     cluster.WorkerID             // round robin's memory
	dirty    map[cluster.TaskID]*task     // with progress that is not written yet
	stuck    map[cluster.TaskID]*task     // whose last write was refused
	ending   map[cluster.TaskID]*task     // with a cancel that must be confirmed

	next time.Time // nearest deadline; zero: none

	watch watch // decides nothing: it watches the rest
}

func newMachine(r rules, policy scheduler.Policy, rng *rand.Rand, newLease func() string) *machine {
	return &machine{
		rules: r, policy: policy, rng: rng, newLease: newLease,
		tasks: map[cluster.TaskID]*task{}, entering: newEntering(), weight: newWeight(), workers: map[cluster.WorkerID]*worker{},
		queue: queue.New(), dirty: map[cluster.TaskID]*task{}, stuck: map[cluster.TaskID]*task{},
		ending: map[cluster.TaskID]*task{}, watch: watch{open: map[subject]*mismatch{}},
	}
}

// task is a task that is not terminal, with what only memory knows about it.
type task struct {
	task    cluster.Task // as committed; Version 0: the insert is under way
	need    scheduler.Need
	shape   string
	weight  int           // what its spec took when it came in, in bytes
	pending *write        // the write under way; the next decision waits for it
	settled chan struct{} // closed when pending is over; nil without
	done    chan struct{} // closed when the task leaves memory

	sent      bool      // AssignTask is on its way
	conflicts int       // its files were not as it said, so often
	tries     int       // AssignTask was sent so often
	refusals  int       // in a row, of this task
	accepted  bool      // the worker has said that it has the attempt
	began     bool      // the worker has shown a container of it
	following bool      // its log is being copied
	cancelBy  time.Time // a cancel must be confirmed by then; zero: none
	loss      *loss     // what to do once the pending write is over

	seen     *cluster.Observation // progress that is not written yet
	progress *Progress
	cpu, mem *float64
	used     float64                                 // CPU seconds at the last measurement
	usage    *telemetry.Thinned[cluster.UsageSample] // nil: nothing was measured

	swept uint64 // number of the last sweep that has met it in the store
}

// live reports whether the attempt is the task's live one.
func (e *task) live(ref cluster.AttemptRef) bool {
	return e.task.State.Placed() && e.task.Ref() == ref
}

// worker is a registered worker with what only memory knows about it.
type worker struct {
	worker    cluster.Worker // as persisted
	reachable bool           // the last call to it succeeded
	healthy   bool           // its engine answers
	reason    string         // why it is not reachable
	illness   string         // why it is not healthy
	deadline  time.Time      // lost when it passes
	heard     time.Time      // the last heartbeat
	history   *telemetry.Recent[cluster.Sample]
	number    uint64 // of the last heartbeat
	use       *cluster.Sample
	unsaved   bool   // the store has not taken the present value
	stored    string // the session that the store has
	barring   bool   // its bar is being written
	unknown   bool   // the store had tasks on it and not the worker itself

	probing   bool                    // a Hello is on its way
	probeAt   time.Time               // the next Hello; zero: none is due
	probeWait time.Duration           // before the one after that
	restUntil time.Time               // it refused; nothing new before then
	refused   map[cluster.TaskID]bool // what it refused since it last accepted something

	attempts map[cluster.TaskID]cluster.Resources     // reserved, by placed task
	shown    map[cluster.AttemptRef]bool              // by its last word; nil: it has said nothing
	foreign  map[cluster.AttemptRef]cluster.Resources // of them, no attempt of ours
	doubtful map[cluster.AttemptRef]cluster.Resources // given up, and it has not said what became of them
	recent   map[cluster.AttemptRef]time.Time         // whose results were taken lately

	stale bool // its offer must be derived anew
}

// gone reports whether the worker's attempts are over: it is lost, and not one
// that a start of the master found so and that may still return.
func (w *worker) gone() bool { return w.removed() || w.worker.Lost && w.deadline.IsZero() }

func (w *worker) target() Target {
	return Target{WorkerID: w.worker.ID, Session: w.worker.Session, Address: w.worker.Address, Fingerprint: w.worker.Fingerprint}
}

// allocated is derived from what is reserved, never counted up and down.
func (w *worker) allocated() cluster.Resources {
	var sum cluster.Resources
	var micro int64 // whole numbers add up alike in every order
	add := func(r cluster.Resources) {
		micro += int64(r.CPU*1e6 + 0.5)
		sum.Memory, sum.Storage, sum.GPU = sum.Memory+r.Memory, sum.Storage+r.Storage, sum.GPU+r.GPU
	}
	for _, r := range w.attempts {
		add(r)
	}
	for _, r := range w.foreign {
		add(r)
	}
	for _, r := range w.doubtful {
		add(r)
	}
	sum.CPU = float64(micro) / 1e6
	return sum
}

// status is what people see, with the reason when it is not active.
func (w *worker) status() (cluster.WorkerStatus, string) {
	switch {
	case w.worker.Lost:
		return cluster.WorkerLost, "no heartbeat within the timeout"
	case !w.worker.LeftUntil.IsZero():
		return cluster.WorkerUnreachable, "was stopped in order; its tasks wait for it"
	case !w.healthy:
		return cluster.WorkerUnhealthy, w.illness
	case !w.reachable:
		return cluster.WorkerUnreachable, w.reason
	case w.barring:
		return cluster.WorkerDraining, "is being removed"
	case w.worker.Draining:
		return cluster.WorkerDraining, "finishes what it has"
	}
	return cluster.WorkerActive, ""
}

// onDisk reports whether the store knows the worker's session. Before, nothing
// is sent to it: a master that starts with another session on the disk takes this
// process for a new one, and what is still on its way for never begun.
func (w *worker) onDisk() bool { return w.stored == w.worker.Session }

// closed is why it takes nothing now; "" when it does.
func (w *worker) closed() string {
	if status, reason := w.status(); status != cluster.WorkerActive {
		if reason == "" {
			return string(status)
		}
		return string(status) + ": " + reason
	}
	if !w.onDisk() {
		return "its registration is not stored yet"
	}
	if !w.restUntil.IsZero() {
		return "refused the last task and rests for a moment"
	}
	return ""
}

// candidates are all workers as the scheduler sees them, by id. What is
// returned holds until the next call.
func (m *machine) candidates() []scheduler.Candidate {
	for n, w := range m.order {
		if w.stale {
			m.offers[n] = scheduler.Candidate{
				ID: w.worker.ID, Closed: w.closed(), Total: w.worker.Total,
				Free: w.worker.Total.Minus(w.allocated()), Labels: w.worker.Labels,
			}
			w.stale = false
		}
	}
	return m.offers
}

func (m *machine) addWorker(w *worker) {
	w.stale = true
	m.workers[w.worker.ID] = w
	at, found := slices.BinarySearchFunc(m.order, w.worker.ID, func(o *worker, id cluster.WorkerID) int {
		return strings.Compare(string(o.worker.ID), string(id))
	})
	if found {
		m.order[at] = w
		return
	}
	m.order = slices.Insert(m.order, at, w)
	m.offers = slices.Insert(m.offers, at, scheduler.Candidate{})
}

func newWorker(w cluster.Worker) *worker {
	return &worker{
		worker: w, healthy: true, stale: true, history: telemetry.NewRecent[cluster.Sample](historySize),
		refused:  map[cluster.TaskID]bool{},
		attempts: map[cluster.TaskID]cluster.Resources{},
		foreign:  map[cluster.AttemptRef]cluster.Resources{},
		doubtful: map[cluster.AttemptRef]cluster.Resources{},
		recent:   map[cluster.AttemptRef]time.Time{},
	}
}

// Bounds of what is kept of measurements: an hour of heartbeats of a worker,
// and a picture of an attempt's whole time.
const (
	historySize = 720
	usageSize   = 240
)

// dropWorker takes a worker that was removed out of all that people and the
// scheduler see; its id stays barred.
func (m *machine) dropWorker(w *worker) {
	if at := slices.Index(m.order, w); at >= 0 {
		m.order = slices.Delete(m.order, at, at+1)
		m.offers = slices.Delete(m.offers, at, at+1)
	}
}

// arm makes sure that tick is called at t or before.
func (m *machine) arm(t time.Time) {
	if !t.IsZero() && (m.next.IsZero() || t.Before(m.next)) {
		m.next = t
	}
}

// addTask takes a task into memory.
func (m *machine) addTask(t cluster.Task) *task {
	need := scheduler.NeedOf(t.Spec)
	e := &task{task: t, need: need, shape: need.Shape(), weight: t.Spec.Size(), done: make(chan struct{})}
	m.tasks[t.ID] = e
	m.weight.add(t.UserID, e.weight)
	return e
}

// dropTask takes a task out of memory.
func (m *machine) dropTask(e *task) {
	delete(m.tasks, e.task.ID)
	m.weight.add(e.task.UserID, -e.weight)
}

func (m *machine) enqueue(e *task) {
	m.queue.Push(itemOf(e.task, e.shape))
	m.arm(e.task.NotBefore)
}

func itemOf(t cluster.Task, shape string) queue.Item {
	return queue.Item{
		ID: string(t.ID), Priority: t.Spec.Priority, CreatedAt: t.CreatedAt, NotBefore: t.NotBefore, Shape: shape,
	}
}

// step is what the machine wants done, in this order.
type step struct {
	abandon  []lostLog            // end the logs of attempts that are lost
	workers  []cluster.WorkerID   // store what they are by then
	writes   []*write             // commit, then feed the answers to committed
	retract  []ownedRef           // take back what was published of these
	discard  []cluster.AttemptRef // and remove what is staged of these
	assigns  []assign
	cancels  []order
	hellos   []Target
	follows  []order
	forget   []cluster.WorkerID
	events   []Event
	readback []*write // find out what became of these
	wake     bool     // dispatch may find work
	fatal    error    // the master must stop
}

// order is a message about one attempt to one worker.
type order struct {
	to  Target
	ref cluster.AttemptRef
}

// ownedRef is an attempt of a person's.
type ownedRef struct {
	owner cluster.UserID
	ref   cluster.AttemptRef
}

// assign is an assignment on its way.
type assign struct {
	to    Target
	order Order
}

type lostLog struct {
	ref    cluster.AttemptRef
	reason string
	write  *write // of the step; it waits for the log's end
}

func (s *step) join(o step) {
	s.abandon = append(s.abandon, o.abandon...)
	s.workers = append(s.workers, o.workers...)
	s.writes = append(s.writes, o.writes...)
	s.retract = append(s.retract, o.retract...)
	s.discard = append(s.discard, o.discard...)
	s.assigns = append(s.assigns, o.assigns...)
	s.cancels = append(s.cancels, o.cancels...)
	s.hellos = append(s.hellos, o.hellos...)
	s.follows = append(s.follows, o.follows...)
	s.forget = append(s.forget, o.forget...)
	s.events = append(s.events, o.events...)
	s.readback = append(s.readback, o.readback...)
	s.wake = s.wake || o.wake
	if s.fatal == nil {
		s.fatal = o.fatal
	}
}

// write is one task's change on its way to the disk.
type write struct {
	db.Write
	entry *task
	loss  *loss         // why, when it ends an attempt without a result
	deed  *cluster.Deed // whose entry goes with it; nil: nobody's
}
