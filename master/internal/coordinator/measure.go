package coordinator

import (
	"context"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/telemetry"
)

// measured notes what the container uses; a report that repeats the last
// measurement, as one about something else does, adds nothing.
func (e *task) measured(now time.Time, r ProgressReport) {
	used := r.Observation.Usage.CPUSeconds
	if used <= e.used {
		return
	}
	if e.usage == nil {
		e.usage = telemetry.NewThinned[cluster.UsageSample](usageSize)
	}
	e.used = used
	e.usage.Add(cluster.UsageSample{Time: now, CPU: r.CPU, Memory: r.Memory})
}

// samples are what the placed attempt's container has used so far.
func (e *task) samples() []cluster.UsageSample {
	if e.usage == nil {
		return nil
	}
	return e.usage.Values()
}

// UsageView is what the container of one attempt used over its time.
type UsageView struct {
	TaskID  cluster.TaskID
	Attempt int
	Limits  cluster.Resources
	Samples []cluster.UsageSample // oldest first
}

// TaskUsage gives what an attempt's container used; attempt 0 is the newest.
// cluster.ErrInvalid for an attempt that there was not.
func (c *Coordinator) TaskUsage(ctx context.Context, p cluster.Principal, id cluster.TaskID, attempt int) (UsageView, error) {
	v, err := c.Task(ctx, p, id)
	if err != nil {
		return UsageView{}, err
	}
	if attempt == 0 {
		attempt = v.Attempt
	}
	if attempt < 0 || attempt > v.Attempt {
		return UsageView{}, cluster.Invalid("attempt", fmt.Sprintf("the task has come to attempt %d", v.Attempt))
	}
	out := UsageView{TaskID: id, Attempt: attempt, Limits: v.Spec.Resources}
	c.mu.Lock()
	if e := c.m.tasks[id]; e != nil && e.task.Attempt == attempt {
		out.Samples = e.samples()
		c.mu.Unlock()
		return out, nil
	}
	c.mu.Unlock()
	results, err := c.store.TaskResults(ctx, id)
	for _, r := range results {
		if r.Ref.Attempt == attempt {
			out.Samples = r.Samples
		}
	}
	return out, unavailable(err)
}

// WorkerHistory gives the samples of a worker's heartbeats since the master's
// start, of the last hour at most, oldest first.
func (c *Coordinator) WorkerHistory(_ context.Context, _ cluster.Principal, id cluster.WorkerID) (cluster.Worker, []cluster.Sample, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.m.known(id)
	if w == nil {
		return cluster.Worker{}, nil, noWorker(id)
	}
	return w.worker, w.history.Values(), nil
}

// WorkerTasks gives a page of the visible tasks whose present or last attempt
// is on the worker, newest first.
func (c *Coordinator) WorkerTasks(ctx context.Context, p cluster.Principal, id cluster.WorkerID, f cluster.TaskFilter, page cluster.Page) ([]TaskView, cluster.Cursor, error) {
	if _, err := c.Worker(ctx, p, id); err != nil {
		return nil, cluster.Cursor{}, err
	}
	f.WorkerID = id
	return c.Tasks(ctx, p, f, page)
}
