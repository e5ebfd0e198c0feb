package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

const justStarted = "the master has just started and has not called it yet"

// restoreWorker takes a worker from the store at the start: it has a full
// timeout to return, longer if it announced its stop.
func (m *machine) restoreWorker(now time.Time, stored cluster.Worker) {
	if cluster.CheckVersions(m.Version, stored.Version) != nil {
		stored.Session = "" // this master is another version's: let it register, and hear why not
	}
	w := newWorker(stored)
	w.stored = stored.Session
	if stored.Barred {
		m.workers[stored.ID] = w
		return
	}
	m.addWorker(w)
	w.reason = justStarted
	w.deadline = now.Add(max(m.HeartbeatTimeout, stored.LeftUntil.Sub(now)))
	if stored.Lost {
		// What is on it was placed after it came back, which the store may
		// have missed: it may return for that.
		m.arm(w.deadline)
		return
	}
	w.probeAt = now
	m.arm(w.probeAt)
	m.arm(w.deadline)
}

// restoreTask takes a task from the store at the start.
func (m *machine) restoreTask(now time.Time, t cluster.Task) {
	e := m.addTask(t)
	if t.State.Waiting() {
		m.enqueue(e)
		return
	}
	w := m.workers[t.WorkerID]
	if w == nil {
		// The store has missed its registration. It may return, too; until then
		// nothing is known of it but what it was given.
		m.restoreWorker(now, cluster.Worker{ID: t.WorkerID, Lost: true, RegisteredAt: now})
		w = m.workers[t.WorkerID]
		w.unknown = true
	}
	if w.unknown {
		w.worker.Total = w.worker.Total.Plus(t.Spec.Resources)
	}
	w.attempts[t.ID] = t.Spec.Resources
	e.tries = 1 // for all we know
	e.accepted = t.State.Rank() > cluster.StateAssigned.Rank()
	if w.gone() {
		m.wasLost(now, e) // also when the worker is registered again by then
	}
	if t.CancelRequested {
		m.awaitEnd(e, now.Add(t.Spec.GracePeriod+m.HeartbeatTimeout))
	}
}

// wasLost has the loss of an attempt decided that an earlier life of the master
// has not stored.
func (m *machine) wasLost(now time.Time, e *task) {
	l := m.lostWorker(e)
	e.loss = &l
	m.stuck[e.task.ID] = e // resume ends the attempt
	m.arm(now)
}

// Recover loads what the store holds and puts the disk in order. It must have
// returned before Run and before any other call.
func (c *Coordinator) Recover(ctx context.Context) error {
	workers, err := c.store.ListWorkers(ctx)
	if err != nil {
		return fmt.Errorf("reading workers: %w", err)
	}
	c.mu.Lock()
	for _, w := range workers {
		c.m.restoreWorker(c.now(), w)
	}
	c.mu.Unlock()
	placed := map[cluster.TaskID]cluster.Placed{}
	waiting := 0
	err = c.store.ActiveTasks(ctx, func(t cluster.Task) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.m.restoreTask(c.now(), t)
		if t.State.Placed() {
			placed[t.ID] = cluster.Placed{Owner: t.UserID, Ref: t.Ref()}
		} else {
			waiting++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading active tasks: %w", err)
	}
	c.giveUpAgain(placed)
	live := func(id cluster.TaskID) (cluster.Placed, bool) { p, ok := placed[id]; return p, ok }
	if err := c.files.Sweep(ctx, live, c.hasPublished); err != nil {
		return fmt.Errorf("sweeping files: %w", err)
	}
	c.recovered.Store(true)
	c.log.Info("state recovered", "workers", len(workers), "waiting", waiting, "placed", len(placed))
	c.nudge()
	return nil
}

// giveUpAgain ends the attempts whose logs were ended as lost ones' before the
// master stopped, and whose loss was not stored: nothing can be added to such a
// log, so that no result of theirs could be whole.
func (c *Coordinator) giveUpAgain(placed map[cluster.TaskID]cluster.Placed) {
	for _, id := range sortedKeys(placed) {
		if !c.logs.Abandoned(placed[id].Ref) {
			continue
		}
		c.mu.Lock()
		if e := c.m.tasks[id]; e != nil && e.loss == nil {
			c.m.wasLost(c.now(), e)
		}
		c.mu.Unlock()
	}
}

// hasPublished reports whether the task's committed result refers to files, and
// how many bytes they have.
func (c *Coordinator) hasPublished(ctx context.Context, id cluster.TaskID) (int64, bool, error) {
	t, err := c.store.Task(ctx, id)
	if err != nil {
		if isNotFound(err) {
			return 0, false, nil
		}
		return 0, false, err
	}
	return t.Files.TotalSize, t.Terminal() && t.Files.Attempt > 0 && !t.Files.Deleted, nil
}
