package coordinator

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/retention"
)

// pruning is one look for what is not kept.
type pruning struct {
	c      *Coordinator
	policy retention.Policy
	dry    bool // only count
	share  bool // leave most of the time to others
	known  prunedTo
	now    time.Time
	since  time.Time // the last rest
	needed map[cluster.TaskID]bool
	report PruneReport
}

// doomed is what of one task goes: the whole of it, or logs or files alone.
type doomed struct {
	task               cluster.Task
	next               cluster.Task // its new value, unless the whole goes
	whole, logs, files bool
	logBytes           int64
}

// rest lets others pass after a step.
func (p *pruning) rest(ctx context.Context) error {
	if !p.share {
		return ctx.Err()
	}
	return p.c.rest(ctx, &p.since)
}

// walk looks through the tasks that are old enough for one kind, newest first,
// and removes what is due. Those before the time up to which nothing is left
// are not read again.
func (p *pruning) walk(ctx context.Context, kind retention.Kind) error {
	age, limited := p.policy.Age(kind)
	if !limited {
		return nil
	}
	until := p.now.Add(-age)
	done := until
	stays := func(t cluster.Task) {
		if t.CreatedAt.Before(done) {
			done = t.CreatedAt
		}
	}
	filter := cluster.TaskFilter{Until: until.Add(1)}
	if known := p.known[kind]; !known.After(until) { // else the clock was set back
		filter.Since = known.Add(-prunedSlack)
	}
	err := p.tasks(ctx, filter, func(tasks []cluster.Task) error {
		var batch []doomed
		for _, t := range tasks {
			switch {
			case p.policy.Due(kind, t, p.now):
				if kind == retention.Tasks || !p.dry || !p.policy.Due(retention.Tasks, t, p.now) {
					batch = append(batch, doomed{task: t, whole: kind == retention.Tasks, logs: kind == retention.Logs, files: kind == retention.Files})
				}
			case !retention.Over(kind, t):
				stays(t)
			}
		}
		left, err := p.carryOut(ctx, batch)
		for _, t := range left {
			stays(t)
		}
		return err
	})
	if err == nil && !p.dry {
		p.known[kind] = done
	}
	return err
}

// tasks hands on all tasks that the filter takes, some at a time.
func (p *pruning) tasks(ctx context.Context, filter cluster.TaskFilter, step func([]cluster.Task) error) error {
	page := cluster.Page{Limit: pruneStep}
	for {
		tasks, next, err := p.c.store.ListTasks(ctx, filter, page)
		if err != nil {
			return err
		}
		if err := step(tasks); err != nil {
			return err
		}
		if next.IsZero() {
			return nil
		}
		page.After = next
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
}

// shrink removes logs and files of the tasks that ended first until the rest is
// within the bound.
func (p *pruning) shrink(ctx context.Context, bound int64) error {
	for {
		s := retention.NewSurplus(bound, pruneMost)
		if err := p.tasks(ctx, cluster.TaskFilter{}, func(tasks []cluster.Task) error { return p.weigh(s, tasks) }); err != nil {
			return err
		}
		chosen, more := s.Choose()
		kept := 0
		for step := range slices.Chunk(chosen, pruneStep) {
			batch := make([]doomed, 0, len(step))
			for _, c := range step {
				t, err := p.c.store.Task(ctx, c.ID)
				if isNotFound(err) {
					continue
				}
				if err != nil {
					return err
				}
				batch = append(batch, doomed{task: t, logs: c.Logs > 0, files: c.Files > 0})
			}
			left, err := p.carryOut(ctx, batch)
			if err == nil {
				err = p.rest(ctx)
			}
			if err != nil {
				return err
			}
			kept += len(left)
		}
		if p.dry || !more || kept == len(chosen) {
			return nil
		}
	}
}

// weigh counts what tasks have on the disks. What a dry run has counted as gone
// by its age is there no more.
func (p *pruning) weigh(s *retention.Surplus, tasks []cluster.Task) error {
	for _, t := range tasks {
		c := retention.Candidate{ID: t.ID, FinishedAt: t.FinishedAt}
		gone := func(kind retention.Kind) bool {
			return p.dry && (p.policy.Due(kind, t, p.now) || p.policy.Due(retention.Tasks, t, p.now))
		}
		if retention.HasLogs(t) && !gone(retention.Logs) {
			size, err := p.c.logs.LogsSize(t.ID)
			if err != nil {
				return err
			}
			c.Logs = size
		}
		if retention.HasFiles(t) && !gone(retention.Files) {
			c.Files = t.Files.TotalSize
		}
		if p.inUse(t) {
			s.Stays(c.Logs + c.Files)
		} else {
			s.Add(c)
		}
	}
	return nil
}

// inUse reports whether the task runs, or something of it is being read.
func (p *pruning) inUse(t cluster.Task) bool {
	active := !t.Terminal()
	p.c.locked(func(time.Time) { active = active || p.c.m.tasks[t.ID] != nil || p.c.editing[t.ID] > 0 })
	return active || p.c.logs.LogsRead(t.ID) || p.c.files.FilesRead(t.UserID, t.ID)
}

// carryOut removes what is doomed of some tasks and gives those of which it
// stays: first the records say so, then the disks follow. Whoever dies in
// between leaves bytes that no record refers to; they go at the next start.
func (p *pruning) carryOut(ctx context.Context, batch []doomed) (left []cluster.Task, err error) {
	batch = slices.DeleteFunc(batch, func(d doomed) bool {
		stays := p.inUse(d.task) || d.whole && p.needed[d.task.ID]
		if stays {
			left = append(left, d.task)
		}
		return stays
	})
	p.report.Kept += len(left)
	for i := range batch {
		if d := &batch[i]; (d.whole || d.logs) && retention.HasLogs(d.task) {
			size, err := p.c.logs.LogsSize(d.task.ID)
			if err != nil {
				return left, err
			}
			d.logBytes = size
		}
	}
	if p.dry {
		for _, d := range batch {
			p.count(d)
		}
		return left, nil
	}
	var errs []error
	for i, err := range p.record(ctx, batch) {
		d := batch[i]
		if err != nil {
			left = append(left, d.task)
			if !errors.Is(err, db.ErrVersion) { // changed or gone meanwhile: the next look sees how
				errs = append(errs, err)
			}
			if !errors.Is(err, db.ErrOutcomeUnknown) {
				continue
			}
			p.c.remains = append(p.c.remains, remnant{id: d.task.ID, owner: d.task.UserID, untold: true})
			continue
		}
		p.count(d)
		p.c.hub.Publish(d.event())
		errs = append(errs, p.c.removeUnkept(ctx, remnant{id: d.task.ID, owner: d.task.UserID}))
	}
	return left, errors.Join(errs...)
}

// record has the store say what goes, with one answer for each.
func (p *pruning) record(ctx context.Context, batch []doomed) []error {
	var rows []db.TaskVersion
	var writes []db.Write
	for i, d := range batch {
		if d.whole {
			rows = append(rows, db.TaskVersion{ID: d.task.ID, Version: d.task.Version})
			continue
		}
		next := d.task
		next.Version++
		next.LogsDeleted = next.LogsDeleted || d.logs
		next.Files.Deleted = next.Files.Deleted || d.files
		batch[i].next = next
		writes = append(writes, db.Write{Task: next, Expect: d.task.Version})
	}
	ctx = context.WithoutCancel(ctx) // what has begun must be settled
	var deleted, changed []error
	if len(rows) > 0 {
		deleted = p.c.store.DeleteTasks(ctx, rows)
	}
	if len(writes) > 0 {
		changed = p.c.store.Commit(ctx, writes)
	}
	answers := make([]error, len(batch))
	for i, d := range batch {
		from := &changed
		if d.whole {
			from = &deleted
		}
		answers[i], *from = (*from)[0], (*from)[1:]
	}
	return answers
}

// event is what those who watch hear when it is done.
func (d doomed) event() Event {
	if d.whole {
		return Event{Removed: &RemovedTask{ID: d.task.ID, UserID: d.task.UserID}}
	}
	return Event{Task: &TaskChange{Task: d.next}}
}

func (p *pruning) count(d doomed) {
	if d.whole {
		p.report.Tasks++
	}
	if (d.whole || d.logs) && d.logBytes > 0 {
		p.report.Logs.add(d.logBytes)
	}
	if (d.whole || d.files) && retention.HasFiles(d.task) && d.task.Files.TotalSize > 0 {
		p.report.Files.add(d.task.Files.TotalSize)
	}
}
