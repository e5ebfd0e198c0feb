// Package fakecore is a coordinator for tests of the edge and of its clients:
// it keeps tasks in memory and moves them by the domain's own transitions when
// a test says so. It has no scheduler, no store and no workers of its own.
package fakecore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
)

// Core is the fake. Its methods are safe for concurrent use.
type Core struct {
	mu       sync.Mutex
	tasks    map[cluster.TaskID]*entry
	order    []cluster.TaskID // by creation
	workers  []coordinator.WorkerView
	usage    map[cluster.TaskID][]cluster.UsageSample
	history  map[cluster.WorkerID][]cluster.Sample
	hub      *events.Hub[coordinator.Event]
	flood    bool
	fail     error
	notReady error
	submits  []cluster.TaskRequest
	keys     map[string]kept
	cancels  int
	quota    int64
	changed  chan struct{} // closed at every change and replaced
	clock    time.Time

	invariants coordinator.InvariantReport
}

type entry struct {
	view  coordinator.TaskView
	files []cluster.File
	done  chan struct{}
}

// New makes an empty fake.
func New() *Core {
	return &Core{
		tasks: map[cluster.TaskID]*entry{}, changed: make(chan struct{}), hub: events.NewHub(hubSize, 1, func(coordinator.Event) int { return 0 }),
		keys:  map[string]kept{},
		usage: map[cluster.TaskID][]cluster.UsageSample{}, history: map[cluster.WorkerID][]cluster.Sample{},
		clock:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		invariants: coordinator.InvariantReport{CheckedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
}

// now moves one second on, so that creation times differ. mu must be held.
func (c *Core) now() time.Time {
	c.clock = c.clock.Add(time.Second)
	return c.clock
}

func (c *Core) touch() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// FailWith makes every later call answer this error; nil ends it.
func (c *Core) FailWith(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

// SetNotReady makes Ready answer this error.
func (c *Core) SetNotReady(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notReady = err
}

// Submits gives the requests that were accepted.
func (c *Core) Submits() []cluster.TaskRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.submits)
}

// Await returns once the condition holds for the views of all tasks.
func (c *Core) Await(ctx context.Context, cond func([]coordinator.TaskView) bool) error {
	for {
		c.mu.Lock()
		var views []coordinator.TaskView
		for _, id := range c.order {
			views = append(views, c.tasks[id].view)
		}
		changed := c.changed
		c.mu.Unlock()
		if cond(views) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Edit changes a task's view through the domain's transitions; an error of
// edit leaves it as it was and comes back.
func (c *Core) Edit(id cluster.TaskID, edit func(v *coordinator.TaskView, now time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.tasks[id]
	if e == nil {
		return cluster.ErrNotFound
	}
	v := e.view
	if err := edit(&v, c.now()); err != nil {
		return err
	}
	v.Version++
	ended := v.Terminal() && !e.view.Terminal()
	if !v.State.Waiting() {
		v.Waiting = nil
	}
	e.view = v
	if ended {
		close(e.done)
	}
	c.hub.Publish(coordinator.Event{Task: &coordinator.TaskChange{Task: v.Task}})
	c.touch()
	return nil
}

// Run places the task and moves it to running.
func (c *Core) Run(id cluster.TaskID, worker cluster.WorkerID) error {
	return c.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		if v.Task, err = v.Assign(worker, "lease", now); err != nil {
			return err
		}
		v.Task, _, err = v.Observe(cluster.Observation{States: states(now, cluster.StateRunning)}, now)
		return err
	})
}

// Finish ends a running task with an exit code, or with a failure when code is
// nil.
func (c *Core) Finish(id cluster.TaskID, code *int, failure cluster.Failure, message string) error {
	return c.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		outcome := cluster.OutcomeSuccess
		if failure != "" {
			outcome = cluster.OutcomeFailed
		}
		if v.State.Placed() {
			o := cluster.Observation{States: states(now, cluster.StateReportResult), Outcome: outcome, ExitCode: code, Failure: failure}
			if v.Task, _, err = v.Observe(o, now); err != nil {
				return err
			}
		}
		v.Task, err = v.Task.Finish(cluster.Verdict{Outcome: outcome, ExitCode: code, Failure: failure, Message: message, Cause: "result"}, now)
		return err
	})
}

// Requeue loses the task's worker: the task waits again as the next attempt.
func (c *Core) Requeue(id cluster.TaskID) error {
	return c.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		v.Task, err = v.Requeue(cluster.Verdict{Failure: cluster.FailureWorkerLost, Cause: "worker_lost"}, cluster.BudgetReschedule, time.Time{}, now)
		v.Waiting = &coordinator.Waiting{Reason: "waits", QueuePosition: 1}
		return err
	})
}

// Publish gives the task files.
func (c *Core) Publish(id cluster.TaskID, files ...cluster.File) error {
	return c.Edit(id, func(v *coordinator.TaskView, _ time.Time) error {
		c.tasks[id].files = files
		v.Files = cluster.FilesSummary{Attempt: v.Attempt, Count: len(files)}
		for _, f := range files {
			v.Files.TotalSize += f.Size
		}
		return nil
	})
}

// states are those that a worker reports, up to the last.
func states(at time.Time, last cluster.State) []cluster.StateTime {
	var out []cluster.StateTime
	for _, s := range cluster.States {
		if s.Placed() && s != cluster.StateAssigned && s.Rank() <= last.Rank() {
			out = append(out, cluster.StateTime{State: s, Time: at})
		}
	}
	return out
}

func (c *Core) find(p cluster.Principal, id cluster.TaskID) (*entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return nil, c.fail
	}
	e := c.tasks[id]
	if e == nil || !p.MaySee(e.view.UserID) {
		return nil, fmt.Errorf("%w: no task %s", cluster.ErrNotFound, id)
	}
	return e, nil
}

// Task gives one task.
func (c *Core) Task(_ context.Context, p cluster.Principal, id cluster.TaskID) (coordinator.TaskView, error) {
	e, err := c.find(p, id)
	if err != nil {
		return coordinator.TaskView{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.view, nil
}

// WaitTask waits for the task's end.
func (c *Core) WaitTask(ctx context.Context, p cluster.Principal, id cluster.TaskID) (coordinator.TaskView, error) {
	e, err := c.find(p, id)
	if err != nil {
		return coordinator.TaskView{}, err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return coordinator.TaskView{}, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.view, nil
}

// Tasks gives a page.
func (c *Core) Tasks(_ context.Context, p cluster.Principal, f cluster.TaskFilter, page cluster.Page) ([]coordinator.TaskView, cluster.Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return nil, cluster.Cursor{}, c.fail
	}
	var out []coordinator.TaskView
	for _, id := range c.order {
		v := c.tasks[id].view
		if p.MaySee(v.UserID) && matches(v.Task, f) && (page.After.IsZero() || page.Order.Compare(page.After, page.Order.Place(v.Task)) < 0) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b coordinator.TaskView) int {
		return page.Order.Compare(page.Order.Place(a.Task), page.Order.Place(b.Task))
	})
	if len(out) <= page.Limit {
		return out, cluster.Cursor{}, nil
	}
	return out[:page.Limit], page.Order.Place(out[page.Limit-1].Task), nil
}

func matches(t cluster.Task, f cluster.TaskFilter) bool {
	for name, value := range f.Labels {
		if t.Spec.Labels[name] != value {
			return false
		}
	}
	return (len(f.Statuses) == 0 || slices.Contains(f.Statuses, t.Status())) &&
		(f.WorkerID == "" || f.WorkerID == t.WorkerID) && (f.UserID == "" || f.UserID == t.UserID) &&
		strings.HasPrefix(t.Spec.Name, f.NamePrefix) && (f.Failure == "" || f.Failure == t.Failure) &&
		!t.CreatedAt.Before(f.Since) && (f.Until.IsZero() || t.CreatedAt.Before(f.Until)) &&
		strings.Contains(strings.ToLower(t.Spec.Name+" "+t.Spec.Image+" "+string(t.ID)), strings.ToLower(f.Text))
}

// TasksWithPrefix gives ids.
func (c *Core) TasksWithPrefix(_ context.Context, p cluster.Principal, prefix string, limit int) ([]cluster.TaskID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []cluster.TaskID
	for _, id := range c.order {
		if strings.HasPrefix(string(id), prefix) && p.MaySee(c.tasks[id].view.UserID) && len(out) < limit {
			out = append(out, id)
		}
	}
	return out, c.fail
}

// Cancel asks for the end of a placed task and ends a waiting one.
func (c *Core) Cancel(ctx context.Context, p cluster.Principal, id cluster.TaskID) (coordinator.TaskView, error) {
	if _, err := c.find(p, id); err != nil {
		return coordinator.TaskView{}, err
	}
	err := c.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		if v.Terminal() {
			return fmt.Errorf("%w: task %s is %s already", cluster.ErrConflict, id, v.Status())
		}
		v.Task, _, err = v.RequestCancel(p.UserID, now)
		c.cancels++
		return err
	})
	if err != nil {
		return coordinator.TaskView{}, err
	}
	return c.Task(ctx, p, id)
}

// TaskFiles gives what Publish has set.
func (c *Core) TaskFiles(_ context.Context, p cluster.Principal, id cluster.TaskID) (coordinator.TaskView, []cluster.File, error) {
	e, err := c.find(p, id)
	if err != nil {
		return coordinator.TaskView{}, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.view, e.files, nil
}

// FilesOf gives the tasks that have files, newest first, in one page.
func (c *Core) FilesOf(_ context.Context, p cluster.Principal, _ cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []cluster.Task
	for _, id := range slices.Backward(c.order) {
		if v := c.tasks[id].view; v.Files.Count > 0 && !v.Files.Deleted && p.MaySee(v.UserID) {
			out = append(out, v.Task)
		}
	}
	return out, cluster.Cursor{}, c.fail
}

// DeleteFiles forgets a finished task's files.
func (c *Core) DeleteFiles(_ context.Context, p cluster.Principal, id cluster.TaskID) error {
	if _, err := c.find(p, id); err != nil {
		return err
	}
	return c.Edit(id, func(v *coordinator.TaskView, _ time.Time) error {
		if !v.Terminal() {
			return fmt.Errorf("%w: task %s is %s; its files can be deleted once it is over", cluster.ErrConflict, id, v.Status())
		}
		c.tasks[id].files = nil
		v.Files.Deleted = true
		return nil
	})
}

// Ready is what SetNotReady has set.
func (c *Core) Ready(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notReady
}

// SetInvariants sets what Invariants answers.
func (c *Core) SetInvariants(r coordinator.InvariantReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invariants = r
}

// Invariants is what SetInvariants has set.
func (c *Core) Invariants() coordinator.InvariantReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.invariants
}

// EditTask changes a waiting task.
func (c *Core) EditTask(ctx context.Context, p cluster.Principal, id cluster.TaskID, r cluster.TaskChange, version int64) (coordinator.TaskView, error) {
	if _, err := c.find(p, id); err != nil {
		return coordinator.TaskView{}, err
	}
	change, err := r.Edit()
	if err != nil {
		return coordinator.TaskView{}, err
	}
	err = c.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		if version != 0 && version != v.Version {
			return fmt.Errorf("%w: task %s is at version %d, not %d", cluster.ErrPrecondition, id, v.Version, version)
		}
		if v.Task, _, err = v.Task.Edit(change, p.UserID, now); err != nil {
			return fmt.Errorf("%w: task %s is %s; only a waiting task can be changed", cluster.ErrConflict, id, v.Status())
		}
		return nil
	})
	if err != nil {
		return coordinator.TaskView{}, err
	}
	return c.Task(ctx, p, id)
}

// SetUsage sets what TaskUsage answers for every attempt of the task.
func (c *Core) SetUsage(id cluster.TaskID, samples ...cluster.UsageSample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usage[id] = samples
}

// TaskUsage gives what SetUsage has set.
func (c *Core) TaskUsage(_ context.Context, p cluster.Principal, id cluster.TaskID, attempt int) (coordinator.UsageView, error) {
	e, err := c.find(p, id)
	if err != nil {
		return coordinator.UsageView{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if attempt == 0 {
		attempt = e.view.Attempt
	}
	if attempt > e.view.Attempt {
		return coordinator.UsageView{}, cluster.Invalid("attempt", "the task has not come to it")
	}
	return coordinator.UsageView{TaskID: id, Attempt: attempt, Limits: e.view.Spec.Resources, Samples: c.usage[id]}, nil
}
