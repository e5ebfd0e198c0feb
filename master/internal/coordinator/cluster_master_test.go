package coordinator

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/scheduler"
)

// What Coordinator does around the machine, in its order, as events of their
// own: between any two of them others happen, or the master dies.

// startMaster begins a new life of the master on what the disks hold; see
// Coordinator.Recover.
func (f *fleet) startMaster() {
	f.life++
	f.up, f.wake, f.rounding, f.queued = true, true, false, false
	f.lanes, f.followers = map[cluster.TaskID][]func(){}, nil
	f.store = f.store.Reopen()
	f.note("the master starts")
	policy, err := scheduler.New("round-robin")
	if err != nil {
		f.failf("%v", err)
	}
	r := rules{HeartbeatInterval: fleetInterval, HeartbeatTimeout: fleetTimeout, LogLimit: 1 << 20, ProgressDelay: progressDelay}
	f.m = newMachine(r, policy, rand.New(rand.NewPCG(f.rng.Uint64(), 1)), func() string { return f.next("lease") })
	workers, err := f.store.ListWorkers(context.Background())
	if err != nil {
		f.failf("%v", err)
	}
	for _, stored := range workers {
		f.m.restoreWorker(f.now, stored)
	}
	placed := map[cluster.TaskID]cluster.AttemptRef{}
	err = f.store.ActiveTasks(context.Background(), func(t cluster.Task) error {
		f.m.restoreTask(f.now, t)
		if t.State.Placed() {
			placed[t.ID] = t.Ref()
		}
		return nil
	})
	if err != nil {
		f.failf("%v", err)
	}
	for _, id := range sortedKeys(placed) {
		l := f.logs[logKey{id, placed[id].Attempt}]
		if e := f.m.tasks[id]; l != nil && l.marker && e.loss == nil {
			f.m.wasLost(f.now, e)
		}
	}
	f.files.sweep(placed, func(id cluster.TaskID) bool {
		t := f.seen[id]
		return t.Terminal() && t.Files.Attempt > 0
	})
	for _, h := range f.hosts {
		h.heard, h.lost, h.told = f.now, false, nil
		if w := f.m.workers[h.id]; w != nil {
			h.lost, h.away = w.worker.Lost, w.worker.LeftUntil
		}
	}
	for _, id := range f.acked {
		if _, err := f.store.Task(context.Background(), id); err != nil {
			f.failf("P1: task %s was acknowledged and is gone: %v", id, err)
		}
	}
}

// killMaster ends the master at once: what it was about to do is not done, what
// it has sent is on its way.
func (f *fleet) killMaster() {
	f.note("the master is killed")
	f.count.MasterKills++
	f.up, f.m = false, nil
	f.events = slices.DeleteFunc(f.events, func(e event) bool { return e.life > 0 })
	f.logs.crash(f.rng)
	f.files.crash()
}

func (f *fleet) round() {
	f.wake, f.queued, f.rounding = false, false, true
	f.carry(f.m.tick(f.now), func(error) {
		st := f.m.dispatch(f.now)
		f.dispatched(st.writes)
		f.carry(st, func(error) { f.rounding = false })
	})
}

// carry is Coordinator.carryOut; then follows with its error.
func (f *fleet) carry(st step, then func(error)) {
	if st.fatal != nil {
		f.failf("fatal: %v", st.fatal)
	}
	f.wake = f.wake || st.wake
	f.abandon(st, func(st step) {
		f.save(st.workers, func(saved error) {
			f.commit(st.writes, func(committed error) {
				for _, o := range st.retract {
					f.files.retract(o.ref)
				}
				for _, ref := range st.discard {
					f.files.discard(ref)
				}
				f.tell(st)
				then(cmp.Or(saved, committed))
			})
		})
	})
}

// abandon is Coordinator.abandon; it gives what is left of the step.
func (f *fleet) abandon(st step, then func(step)) {
	if len(st.abandon) == 0 {
		then(st)
		return
	}
	f.local(func() {
		st.writes = slices.Clone(st.writes)
		for _, l := range st.abandon {
			if f.chance(30) { // the logs' disk
				at := slices.Index(st.writes, l.write)
				st.writes = slices.Delete(st.writes, at, at+1)
				f.m.committed(f.now, l.write, db.ErrUnavailable)
				continue
			}
			f.note("log of %v is ended: %s", l.ref, l.reason)
			f.logs.abandon(l.ref)
			f.unfollow(l.ref)
		}
		then(st)
	})
}

// save is Coordinator.saveWorker for each.
func (f *fleet) save(workers []cluster.WorkerID, then func(error)) {
	if len(workers) == 0 {
		then(nil)
		return
	}
	f.local(func() {
		w := f.m.workers[workers[0]]
		w.unsaved = false
		var failed error
		if f.chance(20) {
			failed = unavailable(db.ErrUnavailable)
		}
		if failed == nil || f.rng.IntN(2) == 0 { // or it has it all the same
			if err := f.store.PutWorker(context.Background(), w.worker); err != nil {
				f.failf("%v", err)
			}
		}
		var next step
		if failed != nil {
			next = f.m.workerNotSaved(f.now, w.worker.ID)
		} else {
			next = f.m.workerSaved(w.worker.ID, w.worker.Session)
		}
		f.carry(next, func(error) {
			f.save(workers[1:], func(err error) { then(cmp.Or(failed, err)) })
		})
	})
}

// commit is Coordinator.commit. The master may die between any two writes.
func (f *fleet) commit(writes []*write, then func(error)) {
	if len(writes) == 0 {
		then(nil)
		return
	}
	f.local(func() {
		answers := make([]error, len(writes))
		for n, w := range writes {
			answers[n] = f.write(w)
			if f.chance(4) {
				f.killMaster()
				return
			}
		}
		f.local(func() {
			var next step
			var failed error
			for n, w := range writes {
				next.join(f.m.committed(f.now, w, answers[n]))
				failed = cmp.Or(failed, unavailable(answers[n]))
			}
			f.carry(next, func(error) { then(failed) })
		})
	})
}

// write is one item of a commit.
func (f *fleet) write(w *write) (err error) {
	switch {
	case f.chance(15):
		err = db.ErrUnavailable
	case f.chance(10):
		err = db.ErrOutcomeUnknown // and it is not there
	default:
		if err := f.store.Commit(context.Background(), []db.Write{w.Write})[0]; err != nil {
			f.failf("commit of %s: %v", w.Task.ID, err)
		}
		f.persisted(w)
		if f.chance(15) {
			err = db.ErrOutcomeUnknown
		}
	}
	if err != nil {
		f.count.StoreFaults++
	}
	if f.tracing {
		f.note("commit %s v%d attempt %d %s %s: %v", w.Task.ID, w.Task.Version, w.Task.Attempt, w.Task.State, w.Task.Outcome, err)
	}
	return err
}

// readBack is Coordinator.readBack.
func (f *fleet) readBack(w *write) {
	if f.chance(200) {
		f.localAfter(100*time.Millisecond, func() { f.readBack(w) })
		return
	}
	t, err := f.store.Task(context.Background(), w.Task.ID)
	f.note("read back %s: v%d, %v", w.Task.ID, t.Version, err)
	f.carry(f.m.readBack(f.now, w, t, errors.Is(err, cluster.ErrNotFound)), func(error) {})
}

// await is Coordinator.await: then follows when the channel is closed, or with
// an error when whoever waits has gone.
func (f *fleet) await(settled <-chan struct{}, then func(error)) {
	select {
	case <-settled:
		then(nil)
		return
	default:
	}
	if f.chance(20) {
		then(cluster.ErrUnavailable)
		return
	}
	f.localAfter(50*time.Millisecond, func() { f.await(settled, then) })
}

// submit is Coordinator.Submit.
func (f *fleet) submit() {
	spec := cluster.Spec{
		Image: "sim", Priority: f.rng.IntN(3), GracePeriod: time.Second,
		Resources:  cluster.Resources{CPU: 0.5 + float64(f.rng.IntN(4)), Memory: 64, Storage: 64},
		MaxRetries: f.rng.IntN(5) / 2, MaxReschedules: f.rng.IntN(5) / 2,
	}
	if f.rng.IntN(5) == 0 {
		spec.Timeout = time.Duration(1+f.rng.IntN(3)) * time.Second
	}
	id := cluster.TaskID(f.next("t"))
	f.note("submit %s: retries %d, reschedules %d, timeout %v", id, spec.MaxRetries, spec.MaxReschedules, spec.Timeout)
	f.count.Submits++
	e, st := f.m.submit(f.now, id, "ann", spec, "")
	f.carry(st, func(err error) {
		if err == nil {
			f.acked = append(f.acked, e.task.ID)
		}
	})
}

// cancel is Coordinator.Cancel of one task.
func (f *fleet) cancel() {
	if len(f.acked) == 0 {
		return
	}
	id := f.acked[f.rng.IntN(len(f.acked))]
	f.note("cancel %s", id)
	f.tryCancel(id)
}

func (f *fleet) tryCancel(id cluster.TaskID) {
	e := f.m.tasks[id]
	if e == nil {
		return
	}
	st, wait, err := f.m.cancel(f.now, e, "ann")
	switch {
	case err != nil:
		f.failf("cancel of active task %s: %v", id, err)
	case wait != nil:
		f.await(wait, func(err error) {
			if err == nil {
				f.tryCancel(id)
			}
		})
	default:
		f.count.Cancels++
		f.carry(st, func(error) {})
	}
}
