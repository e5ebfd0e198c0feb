package coordinator

import (
	"context"
	"errors"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/retention"
)

// How what is not kept goes: in steps that others pass between, and with long
// pauses. A look for what is due may take a twentieth of the time.
const (
	pruneStep  = 100    // tasks
	pruneMost  = 50_000 // candidates that are remembered, for want of room
	pruneLeast = time.Second
	pruneEvery = time.Minute
	pruneShare = 20

	// prunedSlack is how much of what is pruned already is read again: what was on its
	// way into the store then.
	prunedSlack = time.Minute
	// A clock that is set forward makes everything old. Whoever did so by mistake
	// has clockPause to notice, unless it was by no more than clockDoubt.
	clockDoubt = time.Minute
	clockPause = time.Hour
)

// PruneReport counts what has gone, or would go.
type PruneReport struct {
	Tasks int
	Logs  PruneCount // also of the tasks
	Files PruneCount // also of the tasks
	Kept  int        // were due, and are read or needed by others now
}

// PruneCount is of how many tasks something goes, and how much.
type PruneCount struct {
	Tasks int
	Bytes int64
}

func (n *PruneCount) add(bytes int64) {
	n.Tasks++
	n.Bytes += bytes
}

// prunedTo is up to which time of creation nothing of a kind is left that could
// become due, as far as the rule in force has found.
type prunedTo map[retention.Kind]time.Time

// Prune removes what the policy does not keep, now; nil: the master's own. With
// dry it only counts. For administrators.
func (c *Coordinator) Prune(ctx context.Context, p cluster.Principal, policy *retention.Policy, dry bool) (PruneReport, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return PruneReport{}, err
	}
	if policy == nil {
		policy = &c.keep
	}
	report, err := c.prune(ctx, pruning{policy: *policy, dry: dry})
	if err == nil && !dry {
		c.log.Info("pruned on demand", "by", p.UserID, "tasks", report.Tasks, "log_bytes", report.Logs.Bytes, "file_bytes", report.Files.Bytes)
	}
	return report, unavailable(err)
}

// retain sweeps logs that a crash has left, and then removes what is not kept
// until the context ends.
func (c *Coordinator) retain(ctx context.Context) {
	since := c.now()
	err := c.logs.SweepLogs(ctx, func(ctx context.Context, id cluster.TaskID) (bool, error) {
		if err := c.rest(ctx, &since); err != nil {
			return false, err
		}
		return c.keepsLogs(ctx, id)
	})
	if err != nil && ctx.Err() == nil {
		c.log.Warn("logs that belong to nobody could not all be removed; the next start tries again", "error", err)
	}
	if c.keep.KeepsAll() {
		return
	}
	known, clock := prunedTo{}, c.now()
	for least := c.prunePause(); ; {
		began := c.now()
		by := setBy(clock, began)
		if clock = began; by.Abs() > clockDoubt {
			known = prunedTo{}
		}
		if by > clockDoubt {
			c.log.Warn("the clock was set forward; nothing is removed for a while, in case that was a mistake", "by", by, "for", clockPause)
			if !pause(ctx, clockPause) {
				return
			}
			continue
		}
		report, err := c.prune(ctx, pruning{policy: c.keep, known: known, share: true})
		if err != nil && ctx.Err() == nil {
			c.log.Warn("what is not kept could not all be removed; it is tried again", "error", err)
		}
		if report.Tasks+report.Logs.Tasks+report.Files.Tasks > 0 {
			c.log.Info("removed what is not kept", "tasks", report.Tasks, "log_bytes", report.Logs.Bytes, "file_bytes", report.Files.Bytes)
		}
		if !pause(ctx, max(least, pruneShare*c.now().Sub(began))) {
			return
		}
	}
}

// setBy is by how much the clock was set between two of its times.
func setBy(then, now time.Time) time.Duration {
	return now.Round(0).Sub(then.Round(0)) - now.Sub(then)
}

// prunePause is the least pause between two looks.
func (c *Coordinator) prunePause() time.Duration {
	age, ok := c.keep.Shortest()
	if !ok {
		return pruneEvery
	}
	return min(max(age/10, pruneLeast), pruneEvery)
}

// prune carries one look out, when its turn has come.
func (c *Coordinator) prune(ctx context.Context, p pruning) (PruneReport, error) {
	done, err := c.turns.pruning.take(ctx)
	if err != nil {
		return PruneReport{}, err
	}
	defer done()
	p.c, p.now, p.since = c, c.now(), c.now()
	if p.known == nil {
		p.known = prunedTo{}
	}
	c.locked(func(time.Time) { p.needed = c.m.repeated() })
	var errs []error
	if !p.dry {
		errs = append(errs, c.removeRemains(ctx))
	}
	for _, kind := range retention.Kinds {
		errs = append(errs, p.walk(ctx, kind))
	}
	if p.policy.Bytes != nil {
		errs = append(errs, p.shrink(ctx, *p.policy.Bytes))
	}
	return p.report, errors.Join(errs...)
}

// repeated are the tasks that an active one repeats; they stay as long.
func (m *machine) repeated() map[cluster.TaskID]bool {
	of := map[cluster.TaskID]bool{}
	for _, e := range m.tasks {
		if e.task.RetryOf != "" {
			of[e.task.RetryOf] = true
		}
	}
	return of
}

// keepsLogs reports whether logs of the task may be there.
func (c *Coordinator) keepsLogs(ctx context.Context, id cluster.TaskID) (bool, error) {
	t, err := c.store.Task(ctx, id)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && !t.LogsDeleted, err
}

// remnant is what of a task is still to be removed from the disks, though no
// record refers to it any more: somebody was reading it, or a disk failed. What
// is left when the master ends goes at the next start.
type remnant struct {
	id     cluster.TaskID
	owner  cluster.UserID
	untold bool // the store did not say what became of the record: nobody has heard of it
}

// removeRemains tries again what could not be removed.
func (c *Coordinator) removeRemains(ctx context.Context) error {
	var errs []error
	before := c.remains
	c.remains = nil
	for _, r := range before {
		if r.untold {
			r.untold = c.publishNow(ctx, r) != nil
		}
		errs = append(errs, c.removeUnkept(ctx, r))
	}
	return errors.Join(errs...)
}

// publishNow tells those who watch what became of a task; an error means that the
// store did not say.
func (c *Coordinator) publishNow(ctx context.Context, r remnant) error {
	switch t, err := c.store.Task(ctx, r.id); {
	case isNotFound(err):
		c.hub.Publish(Event{Removed: &RemovedTask{ID: r.id, UserID: r.owner}})
	case err != nil:
		return err
	default:
		c.hub.Publish(Event{Task: &TaskChange{Task: t}})
	}
	return nil
}

// removeUnkept removes from the disks what the record of a task denies. Who
// began to read it a moment ago may read on: it is tried again later then.
func (c *Coordinator) removeUnkept(ctx context.Context, r remnant) error {
	logs, err := c.keepsLogs(ctx, r.id)
	if err == nil && !logs {
		err = c.logs.RemoveLogs(ctx, r.id)
	}
	_, files, ferr := c.hasPublished(ctx, r.id)
	if ferr == nil && !files {
		ferr = c.files.RemoveUnread(r.owner, r.id)
	}
	if err == nil && ferr == nil {
		return nil
	}
	c.remains = append(c.remains, r)
	var errs []error
	for _, err := range []error{err, ferr} {
		if !errors.Is(err, cluster.ErrConflict) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// keepFromPruning keeps a task that is over from being pruned until done is called, so that
// nobody hears of its change after its end.
func (c *Coordinator) keepFromPruning(id cluster.TaskID) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.editing[id]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.editing[id]--; c.editing[id] == 0 {
			delete(c.editing, id)
		}
	}
}
