package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/scheduler"
)

// world drives a machine against simulated workers over a network and a store
// that fail as the seed decides. Everything happens in one goroutine.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Time
	store   *storetest.Memory
	m       *machine
	life    int // of the master; what an earlier one had in flight is gone
	flying  []func()
	workers []*simWorker
	calm    bool // no more faults

	serial int
	seen   map[cluster.TaskID]cluster.Task // as last committed
	acked  []cluster.TaskID                // submits that were answered
	starts map[cluster.TaskID]int          // containers begun
	trace  []string
}

// simWorker is a worker as the wire shows it.
type simWorker struct {
	id       cluster.WorkerID
	session  string
	known    bool // it believes that it is registered
	cut      bool // the network to it is down
	away     bool // its process has stopped, having said so
	sick     bool // its engine does not answer
	number   uint64
	attempts map[cluster.AttemptRef]*simAttempt
	refused  map[cluster.AttemptRef]bool // it has said that they are absent
	past     map[cluster.AttemptRef]bool // which this session has had
	gone     []cluster.AttemptRef        // had begun in an earlier session, and have no container
}

func (s *simWorker) deaf() bool { return s.cut || s.away }

// drop forgets an attempt; a late assignment of it is acknowledged and not
// begun again.
func (s *simWorker) drop(ref cluster.AttemptRef) {
	delete(s.attempts, ref)
	s.past[ref] = true
}

type simAttempt struct {
	states []cluster.StateTime
	cancel bool
	began  bool
	lost   bool // its container was removed behind the worker's back
	exit   int
}

func (a *simAttempt) state() cluster.State {
	if len(a.states) == 0 {
		return cluster.StateAssigned
	}
	return a.states[len(a.states)-1].State
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		store: storetest.NewMemory(), seen: map[cluster.TaskID]cluster.Task{}, starts: map[cluster.TaskID]int{},
	}
	w.startMaster()
	for n := range 3 {
		sim := &simWorker{id: cluster.WorkerID(fmt.Sprintf("w%d", n)), attempts: map[cluster.AttemptRef]*simAttempt{}}
		w.workers = append(w.workers, sim)
		w.startWorker(sim)
	}
	return w
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%s ", w.now.Format("04:05.000"))+fmt.Sprintf(format, args...))
}

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-traceLines()):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) next(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s%d", prefix, w.serial)
}

func (w *world) chance(percent int) bool { return !w.calm && w.rng.IntN(100) < percent }

// fly lets something arrive later, in an order that the seed decides.
func (w *world) fly(do func()) {
	life := w.life
	w.flying = append(w.flying, func() {
		if life == w.life {
			do()
		}
	})
}

func (w *world) deliver() {
	if len(w.flying) == 0 {
		return
	}
	n := w.rng.IntN(len(w.flying))
	do := w.flying[n]
	w.flying = slices.Delete(w.flying, n, n+1)
	do()
}

// startMaster begins a new life of the master on what the store holds.
func (w *world) startMaster() {
	w.life++
	w.flying = nil
	w.store = w.store.Reopen()
	w.note("master starts")
	policy, err := scheduler.New("round-robin")
	if err != nil {
		w.t.Fatal(err)
	}
	r := rules{HeartbeatInterval: 5 * time.Second, HeartbeatTimeout: 15 * time.Second, ProgressDelay: progressDelay}
	w.m = newMachine(r, policy, rand.New(rand.NewPCG(w.rng.Uint64(), 1)), func() string { return w.next("lease") })
	workers, _ := w.store.ListWorkers(context.Background())
	for _, stored := range workers {
		w.m.restoreWorker(w.now, stored)
	}
	err = w.store.ActiveTasks(context.Background(), func(t cluster.Task) error {
		w.m.restoreTask(w.now, t)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range w.acked {
		if _, err := w.store.Task(context.Background(), id); err != nil {
			w.failf("P1: task %s was acknowledged and is gone: %v", id, err)
		}
	}
}

// do carries out a step: messages fly, writes reach the store later.
func (w *world) do(st step) {
	if st.fatal != nil {
		w.failf("fatal: %v", st.fatal)
	}
	for _, id := range st.workers {
		if err := w.save(id); err != nil {
			w.failf("worker: %v", err)
		}
	}
	if len(st.writes) > 0 {
		w.fly(func() { w.commit(st.writes) })
	}
	for _, a := range st.assigns {
		w.fly(func() { w.assign(a) })
	}
	for _, o := range st.cancels {
		w.fly(func() { w.orderCancel(o) })
	}
	for _, to := range st.hellos {
		w.fly(func() { w.hello(to) })
	}
	for _, b := range st.readback {
		w.fly(func() { w.readBack(b) })
	}
}

// save stores a worker's present value; sometimes the store has trouble.
func (w *world) save(id cluster.WorkerID) error {
	if w.chance(3) {
		w.do(w.m.workerNotSaved(w.now, id))
		return nil
	}
	wk := w.m.workers[id]
	wk.unsaved = false
	if err := w.store.PutWorker(context.Background(), wk.worker); err != nil {
		return err
	}
	w.do(w.m.workerSaved(id, wk.worker.Session))
	return nil
}

// putWorker stores a worker's present value for someone who waits for it. What
// the store refuses it may have taken all the same.
func (w *world) putWorker(id cluster.WorkerID) error {
	var failed error
	if w.chance(20) {
		failed = db.ErrOutcomeUnknown
		if w.chance(50) {
			return db.ErrUnavailable
		}
	}
	wk := w.m.workers[id].worker
	if err := w.store.PutWorker(context.Background(), wk); err != nil || failed != nil {
		return cmp.Or(failed, err)
	}
	w.do(w.m.workerSaved(id, wk.Session))
	return nil
}

func (w *world) commit(writes []*write) {
	for _, x := range writes {
		var err error
		fault := 100
		if !w.calm {
			fault = w.rng.IntN(100)
		}
		switch {
		case fault < 3:
			err = db.ErrUnavailable
		case fault < 5:
			err = db.ErrOutcomeUnknown
		default:
			if err = w.store.Commit(context.Background(), []db.Write{x.Write})[0]; err != nil {
				w.failf("commit of %s: %v", x.Task.ID, err)
			}
			w.committed(x.Task)
			if fault < 8 {
				err = db.ErrOutcomeUnknown
			}
		}
		w.note("commit %s attempt %d %s: %v", x.Task.ID, x.Task.Attempt, x.Task.State, err)
		w.do(w.m.committed(w.now, x, err))
	}
}

func (w *world) readBack(x *write) {
	t, err := w.store.Task(context.Background(), x.Task.ID)
	w.note("read back %s: version %d, %v", x.Task.ID, t.Version, err)
	w.do(w.m.readBack(w.now, x, t, errors.Is(err, cluster.ErrNotFound)))
}

// committed checks what reaches the disk against what was there.
func (w *world) committed(t cluster.Task) {
	was, ok := w.seen[t.ID]
	w.seen[t.ID] = t
	if !ok {
		return
	}
	if was.Terminal() {
		w.failf("P2: task %s got a second verdict: %s after %s", t.ID, t.Status(), was.Status())
	}
	if t.Attempt < was.Attempt || t.Attempt == was.Attempt && t.State.Rank() < was.State.Rank() {
		w.failf("P4: task %s went back from %d/%s to %d/%s", t.ID, was.Attempt, was.State, t.Attempt, t.State)
	}
	if was.CancelRequested && t.Terminal() && t.Status() != cluster.StatusCancelled {
		w.failf("task %s was to be cancelled before its result and is %s", t.ID, t.Status())
	}
}

// check holds the promises that must be true between any two events.
func (w *world) check() {
	if fault := machineFault(w.m, w.seen); fault != "" {
		w.failf("%s", fault)
	}
}

// traceLines is how much of the story a failure tells.
func traceLines() int {
	if os.Getenv("MODEL_SEED") != "" {
		return 1 << 30
	}
	return 60
}
