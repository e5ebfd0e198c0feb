package coordinator

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
)

// How much is compared under one hold of the lock, and how often. A look at
// memory and heartbeats may take a hundredth of the time, a sweep of the store
// a fifth of it while it lasts, and it rests ten times as long as it took.
const (
	patrolWorkers = 256
	patrolTasks   = 1024
	patrolReads   = 256 // from the store, per look
	patrolBatch   = 256 // of a sweep
	patrolLeast   = time.Second
	patrolShare   = 100
	sweepShare    = 5
	sweepRest     = 10
	// No part of a sweep takes longer by itself; what is more was waiting for a
	// store that was away, and kept nobody busy.
	longestPart = 200 * time.Millisecond
)

// patrol compares memory and heartbeats again and again.
func (c *Coordinator) patrol(ctx context.Context) {
	least := c.patrolPause()
	for {
		began := c.now()
		c.look(ctx, began)
		took := c.now().Sub(began)
		if !pause(ctx, max(least, min(patrolShare*took, c.m.HeartbeatInterval))) {
			return
		}
	}
}

// patrolPause is the least pause between two looks.
func (c *Coordinator) patrolPause() time.Duration {
	return min(patrolLeast, max(c.m.HeartbeatInterval, patrolLeast/sweepRest))
}

// pause is false when the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// locked runs one bounded part of a comparison.
func (c *Coordinator) locked(part func(now time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	part(c.now())
}

// look is one comparison of memory and heartbeats; what the last sweep of the
// store has found is read again.
func (c *Coordinator) look(ctx context.Context, began time.Time) {
	for from, more := 0, true; more; from += patrolWorkers {
		c.locked(func(now time.Time) { more = c.m.checkWorkers(now, from, patrolWorkers) })
	}
	var unsure []subject
	c.locked(func(time.Time) { unsure = c.m.unsure(patrolReads) })
	reads, cancel := context.WithTimeout(ctx, max(c.m.HeartbeatInterval/2, patrolLeast))
	defer cancel()
	for _, s := range unsure {
		c.readAgain(reads, s)
	}
	var report InvariantReport
	var news newsOfCheck
	c.locked(func(now time.Time) {
		report, news = c.m.review(now)
		report.CheckedAt = began
	})
	c.announce(news)
	c.checked.Store(&report)
}

// readAgain compares one task with the store. One that does not answer tells
// nothing.
func (c *Coordinator) readAgain(ctx context.Context, s subject) {
	var before glance
	c.locked(func(time.Time) { before = c.m.glance(s.ref.TaskID) })
	t, err := c.store.Task(ctx, s.ref.TaskID)
	if err != nil && !isNotFound(err) {
		return
	}
	var news newsOfCheck
	c.locked(func(now time.Time) { news = c.m.compareStored(now, s, before, t, err == nil) })
	c.announce(news)
}

// announce tells the log of violations, when they appear and when they are
// gone.
func (c *Coordinator) announce(news newsOfCheck) {
	for _, x := range news.broken {
		c.log.Warn("an invariant does not hold", "invariant", x.Invariant, "task_id", x.TaskID, "attempt", x.Attempt,
			"worker_id", x.WorkerID, "lease", x.subject.ref.Lease, "age", x.Age)
	}
	for _, x := range news.mended {
		c.log.Warn("an invariant holds again", "invariant", x.Invariant, "task_id", x.TaskID, "attempt", x.Attempt,
			"worker_id", x.WorkerID, "age", x.Age)
	}
}

// sweeps compares the whole store with memory again and again.
func (c *Coordinator) sweeps(ctx context.Context) {
	least, silent := c.patrolPause(), false
	for {
		began := c.now()
		busy, err := c.sweep(ctx, began)
		if err != nil && !silent && ctx.Err() == nil {
			c.log.Warn("store and memory cannot be compared at the moment", "error", err)
		}
		silent = err != nil
		rest := max(least, sweepRest*sweepShare*busy)
		if err != nil {
			rest = least // it has waited for the store, not kept it busy
		}
		if !pause(ctx, rest) {
			return
		}
	}
}

// sweep compares every task that is not terminal, in the store or in memory,
// in small parts; it tells how long these have taken.
func (c *Coordinator) sweep(ctx context.Context, began time.Time) (busy time.Duration, err error) {
	var ids []cluster.TaskID
	var queued []string
	var number uint64
	c.locked(func(time.Time) {
		c.m.mismatches.sweep++
		number, ids = c.m.mismatches.sweep, c.m.active()
	})
	c.locked(func(time.Time) { queued = c.m.queue.IDs() })
	batch, since := make([]cluster.Task, 0, patrolBatch), c.now()
	rest := func() error {
		took := min(c.now().Sub(since), longestPart)
		busy, since = busy+took, c.now().Add(-took)
		return c.rest(ctx, &since)
	}
	compare := func() error {
		c.locked(func(now time.Time) { c.m.checkStored(now, batch, number) })
		batch = batch[:0]
		return rest()
	}
	err = c.store.ActiveTasks(ctx, func(t cluster.Task) error {
		if batch = append(batch, t); len(batch) < patrolBatch {
			return nil
		}
		return compare()
	})
	if err == nil {
		err = compare()
	}
	for part := range slices.Chunk(ids, patrolTasks) {
		c.locked(func(now time.Time) { c.m.checkTasks(now, part, complete(number, err)) })
		err = errors.Join(err, rest())
	}
	for part := range slices.Chunk(queued, patrolTasks) {
		c.locked(func(now time.Time) { c.m.checkQueue(now, part) })
		err = errors.Join(err, rest())
	}
	if err == nil {
		c.locked(func(time.Time) { c.m.mismatches.swept = began })
	}
	return busy, err
}

// complete is the number of a sweep that has met all that the store holds.
func complete(number uint64, err error) uint64 {
	if err != nil {
		return 0
	}
	return number
}

// rest lets a sweep have its share of the time and no more.
func (c *Coordinator) rest(ctx context.Context, since *time.Time) error {
	took := c.now().Sub(*since)
	if took > 0 && !pause(ctx, (sweepShare-1)*took) {
		return ctx.Err()
	}
	*since = c.now()
	return nil
}

// Invariants is what the last look at the invariants has found; open to all
// but for Mismatches.
func (c *Coordinator) Invariants() InvariantReport {
	if a := c.checked.Load(); a != nil {
		return *a
	}
	return InvariantReport{}
}
