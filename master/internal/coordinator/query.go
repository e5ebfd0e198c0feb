package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/scheduler"
)

// visible finds an active task that the principal may see; nil otherwise.
// c.mu must be held.
func (c *Coordinator) visible(p cluster.Principal, id cluster.TaskID) *task {
	e := c.m.tasks[id]
	if e == nil || e.task.Version == 0 || !p.MaySee(e.task.UserID) {
		return nil
	}
	return e
}

// stored reads a task that the principal may see; cluster.ErrNotFound for
// another's too.
func (c *Coordinator) stored(ctx context.Context, p cluster.Principal, id cluster.TaskID) (cluster.Task, error) {
	t, err := c.store.Task(ctx, id)
	if err == nil && !p.MaySee(t.UserID) {
		err = cluster.ErrNotFound
	}
	if isNotFound(err) {
		return t, fmt.Errorf("%w: no task %s", cluster.ErrNotFound, id)
	}
	return t, unavailable(err)
}

// waitingWorkers is how many workers Waiting names at most.
const waitingWorkers = 20

// view is a copy of the task for people; c.mu must be held.
func (m *machine) view(e *task, explain bool) TaskView {
	v := TaskView{Task: e.task, Progress: e.progress, CPU: e.cpu, Memory: e.mem}
	if !e.task.State.Waiting() {
		return v
	}
	v.Waiting = &Waiting{QueuePosition: m.queue.Position(string(e.task.ID))}
	if explain {
		m.explain(e, v.Waiting)
	}
	return v
}

// viewBefore is the view of a new task as it is about to be stored.
func (m *machine) viewBefore(e *task, t cluster.Task) TaskView {
	v := TaskView{Task: t, Waiting: &Waiting{QueuePosition: m.queue.Place(itemOf(t, e.shape))}}
	m.explain(e, v.Waiting)
	return v
}

// explain says why a waiting task is not placed.
func (m *machine) explain(e *task, w *Waiting) {
	if m.queue.Held(string(e.task.ID)) {
		w.Reason = "waits for its next try at " + e.task.NotBefore.UTC().Format("15:04:05Z")
		return
	}
	why := scheduler.Explain(e.need, m.candidates(), waitingWorkers)
	w.Reason, w.Suggestion = why.Summary, why.Suggestion
	for _, r := range why.Reasons {
		w.Workers = append(w.Workers, WorkerReason{WorkerID: r.WorkerID, Reason: r.Text})
	}
}

// viewOf copies a task that was active a moment ago.
func (c *Coordinator) viewOf(e *task) TaskView {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.view(e, true)
}

// Task gives one task; cluster.ErrNotFound also for another user's.
func (c *Coordinator) Task(ctx context.Context, p cluster.Principal, id cluster.TaskID) (TaskView, error) {
	c.mu.Lock()
	if e := c.visible(p, id); e != nil {
		defer c.mu.Unlock()
		return c.m.view(e, true), nil
	}
	c.mu.Unlock()
	t, err := c.stored(ctx, p, id)
	return TaskView{Task: t}, err
}

// WaitTask gives the task once it is terminal, or as it is when the context's
// deadline passes.
func (c *Coordinator) WaitTask(ctx context.Context, p cluster.Principal, id cluster.TaskID) (TaskView, error) {
	c.mu.Lock()
	e := c.visible(p, id)
	c.mu.Unlock()
	if e == nil {
		return c.Task(ctx, p, id)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return TaskView{}, ctx.Err()
		}
	}
	return c.viewOf(e), nil
}

// Tasks gives a page, newest first: the principal's own, for an admin
// everyone's.
func (c *Coordinator) Tasks(ctx context.Context, p cluster.Principal, f cluster.TaskFilter, page cluster.Page) ([]TaskView, cluster.Cursor, error) {
	if !p.Admin() {
		if f.UserID != "" && f.UserID != p.UserID {
			return nil, cluster.Cursor{}, nil
		}
		f.UserID = p.UserID
	}
	tasks, next, err := c.store.ListTasks(ctx, f, page)
	if err != nil {
		return nil, next, unavailable(err)
	}
	views := make([]TaskView, len(tasks))
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, t := range tasks {
		views[n] = TaskView{Task: t}
		if e := c.m.tasks[t.ID]; e != nil && e.task.Version == t.Version {
			views[n] = c.m.view(e, false)
		}
	}
	return views, next, nil
}

// TasksWithPrefix gives up to limit ids of visible tasks that begin so.
func (c *Coordinator) TasksWithPrefix(ctx context.Context, p cluster.Principal, prefix string, limit int) ([]cluster.TaskID, error) {
	user := p.UserID
	if p.Admin() {
		user = ""
	}
	ids, err := c.store.TasksWithPrefix(ctx, prefix, user, limit)
	return ids, unavailable(err)
}

// TaskFiles gives a task and its published files.
func (c *Coordinator) TaskFiles(ctx context.Context, p cluster.Principal, id cluster.TaskID) (TaskView, []cluster.File, error) {
	v, err := c.Task(ctx, p, id)
	if err != nil || v.Files.Attempt == 0 || v.Files.Deleted {
		return v, nil, err
	}
	files, err := c.store.TaskFiles(ctx, id)
	return v, files, unavailable(err)
}

// FilesOf gives a page of the tasks that have published files, newest first.
func (c *Coordinator) FilesOf(ctx context.Context, p cluster.Principal, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	user := p.UserID
	if p.Admin() {
		user = ""
	}
	tasks, next, err := c.store.ListFiles(ctx, user, page)
	return tasks, next, unavailable(err)
}

// DeleteFiles removes a finished task's files: from the record first, then
// from the disk. cluster.ErrConflict while the task is not terminal.
func (c *Coordinator) DeleteFiles(ctx context.Context, p cluster.Principal, id cluster.TaskID) error {
	if err := p.Require(cluster.ScopeSubmit); err != nil {
		return err
	}
	defer c.keepFromPruning(id)()
	for range 3 {
		c.mu.Lock()
		active := c.visible(p, id) != nil
		c.mu.Unlock()
		t, err := c.stored(ctx, p, id)
		switch {
		case err != nil:
			return err
		case active || !t.Terminal():
			return fmt.Errorf("%w: task %s is %s; its files can be deleted once it is over", cluster.ErrConflict, id, t.Status())
		case t.Files.Attempt == 0 || t.Files.Deleted:
			return nil
		}
		next := t
		next.Version, next.Files.Deleted = t.Version+1, true
		w := &write{Write: db.Write{Task: next, Expect: t.Version}}
		w.sign(ctx, id, t.UserID)
		err = c.store.Commit(context.WithoutCancel(ctx), []db.Write{w.Write})[0]
		w.signed(err)
		if errors.Is(err, db.ErrVersion) {
			continue
		}
		if err != nil {
			return unavailable(err)
		}
		c.hub.Publish(Event{Task: &TaskChange{Task: next}})
		return c.files.RemoveTask(t.UserID, id)
	}
	return fmt.Errorf("%w: task %s keeps changing", cluster.ErrUnavailable, id)
}

// workerView copies a worker for people; c.mu must be held.
func (m *machine) workerView(w *worker, p cluster.Principal) WorkerView {
	v := WorkerView{Worker: w.worker, Allocated: w.allocated(), Used: w.use, LastHeartbeat: w.heard}
	v.Status, v.Message = w.status()
	for _, id := range sortedKeys(w.attempts) {
		e := m.tasks[id]
		if e == nil || !e.task.State.Placed() {
			continue
		}
		v.RunningCount++
		if p.MaySee(e.task.UserID) {
			v.Running = append(v.Running, RunningView{TaskID: id, Attempt: e.task.Attempt})
		}
	}
	return v
}

// workerViews copies all workers by id; c.mu must be held.
func (m *machine) workerViews(p cluster.Principal) []WorkerView {
	views := make([]WorkerView, 0, len(m.order))
	for _, w := range m.order {
		views = append(views, m.workerView(w, p))
	}
	return views
}

// Workers gives all workers by id.
func (c *Coordinator) Workers(_ context.Context, p cluster.Principal) ([]WorkerView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.workerViews(p), nil
}

// Worker gives one worker; cluster.ErrNotFound.
func (c *Coordinator) Worker(_ context.Context, p cluster.Principal, id cluster.WorkerID) (WorkerView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.m.known(id)
	if w == nil {
		return WorkerView{}, noWorker(id)
	}
	return c.m.workerView(w, p), nil
}

// Cluster counts what the cluster has and does.
func (c *Coordinator) Cluster(ctx context.Context, p cluster.Principal) (ClusterView, error) {
	counts, err := c.store.CountTasks(ctx, cluster.TaskFilter{})
	if err != nil {
		return ClusterView{}, unavailable(err)
	}
	v := ClusterView{ClusterID: c.clusterID, Tasks: counts, Workers: map[cluster.WorkerStatus]int{}}
	if p.Admin() {
		v.Mismatches = c.Invariants().Mismatches
	} else if p.UserID != "" {
		if v.OwnTasks, err = c.store.CountTasks(ctx, cluster.TaskFilter{UserID: p.UserID}); err != nil {
			return ClusterView{}, unavailable(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v.QueueLen = c.m.queue.Len()
	v.Total, v.Allocated = c.m.capacity()
	for _, w := range c.m.order {
		status, _ := w.status()
		v.Workers[status]++
	}
	return v, nil
}

// capacity is what workers that are not lost have, and what of it is given away.
func (m *machine) capacity() (total, allocated cluster.Resources) {
	for _, w := range m.order {
		if !w.worker.Lost {
			total, allocated = total.Plus(w.worker.Total), allocated.Plus(w.allocated())
		}
	}
	return total, allocated
}

// Capacity is what workers that are not lost have, and what of it is given away.
func (c *Coordinator) Capacity() (total, allocated cluster.Resources) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.capacity()
}

// QueueView is what waits.
type QueueView struct {
	Len    int
	Oldest time.Time // since when the longest waiting task waits; zero: none does
}

// Queue says what waits.
func (c *Coordinator) Queue() QueueView {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := QueueView{Len: c.m.queue.Len()}
	for _, e := range c.m.tasks {
		if at := e.task.QueuedAt; e.task.State.Waiting() && (v.Oldest.IsZero() || at.Before(v.Oldest)) {
			v.Oldest = at
		}
	}
	return v
}

// Ready is nil when requests can be served.
func (c *Coordinator) Ready(ctx context.Context) error {
	if !c.recovered.Load() {
		return fmt.Errorf("%w: the state is being read", cluster.ErrUnavailable)
	}
	// One look for a row that is not there: anyone may ask, as often as they like.
	_, err := c.store.Task(ctx, "0")
	if isNotFound(err) {
		return nil
	}
	return unavailable(err)
}
