package coordinator

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/queue"
	"cloudai/master/internal/scheduler"
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
	last     cluster.WorkerID             // chosen last, which the policy asks for
	dirty    map[cluster.TaskID]*task     // with progress that is not written yet
	stuck    map[cluster.TaskID]*task     // whose last write was refused
	ending   map[cluster.TaskID]*task     // with a cancel that must be confirmed

	next time.Time // nearest deadline; zero: none

	mismatches mismatches // what of all this does not agree; decides nothing
}

func newMachine(r rules, policy scheduler.Policy, rng *rand.Rand, newLease func() string) *machine {
	return &machine{
		rules: r, policy: policy, rng: rng, newLease: newLease,
		tasks: map[cluster.TaskID]*task{}, entering: newEntering(), weight: newWeight(), workers: map[cluster.WorkerID]*worker{},
		queue: queue.New(), dirty: map[cluster.TaskID]*task{}, stuck: map[cluster.TaskID]*task{},
		ending: map[cluster.TaskID]*task{}, mismatches: mismatches{open: map[subject]*mismatch{}},
	}
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
