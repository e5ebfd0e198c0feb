package fakecore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
)

// hubSize is how many events a watcher may be behind.
const hubSize = 64

// SetWorkers sets what Workers answers, and tells those who watch.
func (c *Core) SetWorkers(workers ...coordinator.WorkerView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone := c.workers
	c.workers = workers
	for _, w := range append(slices.Clone(gone), workers...) {
		c.hub.Publish(coordinator.Event{Worker: &w.ID})
	}
}

// Flood lets more happen than the next watcher has room for, before it reads
// anything.
func (c *Core) Flood() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flood = true
}

// SetHistory sets what WorkerHistory answers.
func (c *Core) SetHistory(id cluster.WorkerID, samples ...cluster.Sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history[id] = samples
}

// Workers gives what SetWorkers has set, by id.
func (c *Core) Workers(context.Context, cluster.Principal) ([]coordinator.WorkerView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.workers)
	slices.SortFunc(out, func(a, b coordinator.WorkerView) int { return cmp.Compare(a.ID, b.ID) })
	return out, c.fail
}

// Worker gives one of them.
func (c *Core) Worker(ctx context.Context, p cluster.Principal, id cluster.WorkerID) (coordinator.WorkerView, error) {
	all, err := c.Workers(ctx, p)
	if err != nil {
		return coordinator.WorkerView{}, err
	}
	for _, w := range all {
		if w.ID == id {
			return w, nil
		}
	}
	return coordinator.WorkerView{}, fmt.Errorf("%w: no worker %s", cluster.ErrNotFound, id)
}

// Cluster counts the tasks and workers.
func (c *Core) Cluster(_ context.Context, p cluster.Principal) (coordinator.ClusterView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := coordinator.ClusterView{ClusterID: "c1", Tasks: map[cluster.Status]int{}, Workers: map[cluster.WorkerStatus]int{}}
	if p.Admin() {
		v.Mismatches = c.invariants.Mismatches
	}
	for _, s := range cluster.Statuses {
		v.Tasks[s] = 0
	}
	if !p.Admin() {
		v.OwnTasks = map[cluster.Status]int{}
	}
	for _, e := range c.tasks {
		v.Tasks[e.view.Status()]++
		if v.OwnTasks != nil && e.view.UserID == p.UserID {
			v.OwnTasks[e.view.Status()]++
		}
		if e.view.State.Waiting() {
			v.QueueLen++
		}
	}
	for _, w := range c.workers {
		v.Workers[w.Status]++
		v.Total, v.Allocated = v.Total.Plus(w.Total), v.Allocated.Plus(w.Allocated)
	}
	return v, c.fail
}

// WorkerTasks gives a page of the worker's tasks.
func (c *Core) WorkerTasks(ctx context.Context, p cluster.Principal, id cluster.WorkerID, f cluster.TaskFilter, page cluster.Page) ([]coordinator.TaskView, cluster.Cursor, error) {
	if _, err := c.Worker(ctx, p, id); err != nil {
		return nil, cluster.Cursor{}, err
	}
	f.WorkerID = id
	return c.Tasks(ctx, p, f, page)
}

// WorkerHistory gives what SetHistory has set.
func (c *Core) WorkerHistory(ctx context.Context, p cluster.Principal, id cluster.WorkerID) (cluster.Worker, []cluster.Sample, error) {
	w, err := c.Worker(ctx, p, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	return w.Worker, c.history[id], err
}

// WatchWorkers gives the workers and what SetWorkers and the calls below
// change.
func (c *Core) WatchWorkers(ctx context.Context, p cluster.Principal) ([]coordinator.WorkerView, *events.Subscription[coordinator.Event]) {
	changes := c.hub.Subscribe(0)
	views, _ := c.Workers(ctx, p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flood && len(c.workers) > 0 {
		c.flood = false
		for range 2 * hubSize {
			c.hub.Publish(coordinator.Event{Worker: &c.workers[0].ID})
		}
	}
	return views, changes
}

// RegisterWorker takes in a worker; one at "nowhere:1" does not answer.
func (c *Core) RegisterWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, address string) (coordinator.WorkerView, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return coordinator.WorkerView{}, err
	}
	if !cluster.ValidName(string(id)) {
		return coordinator.WorkerView{}, cluster.Invalid("worker_id", "must be a worker's id")
	}
	if !cluster.ValidAddress(address) {
		return coordinator.WorkerView{}, cluster.Invalid("address", "must be host:port, for instance 10.0.0.7:50052")
	}
	if address == "nowhere:1" {
		return coordinator.WorkerView{}, fmt.Errorf("%w: worker %s cannot be called at %s: connection refused", cluster.ErrConflict, id, address)
	}
	c.mu.Lock()
	w := coordinator.WorkerView{Worker: cluster.Worker{ID: id, Address: address, RegisteredAt: c.now()}, Status: cluster.WorkerActive}
	workers := append(slices.Clone(c.workers), w)
	c.mu.Unlock()
	c.SetWorkers(workers...)
	return c.Worker(ctx, p, id)
}

// RemoveWorker takes a worker out.
func (c *Core) RemoveWorker(ctx context.Context, p cluster.Principal, id cluster.WorkerID, force bool) error {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return err
	}
	w, err := c.Worker(ctx, p, id)
	switch {
	case err != nil:
		return err
	case w.RunningCount > 0 && !force:
		return fmt.Errorf("%w: worker %s still has tasks (%d); drain it and wait, or force it, and they run elsewhere", cluster.ErrConflict, id, w.RunningCount)
	}
	c.mu.Lock()
	workers := slices.DeleteFunc(slices.Clone(c.workers), func(w coordinator.WorkerView) bool { return w.ID == id })
	c.mu.Unlock()
	c.SetWorkers(workers...)
	return nil
}

// Drain changes the worker's status.
func (c *Core) Drain(ctx context.Context, p cluster.Principal, id cluster.WorkerID, on bool) (coordinator.WorkerView, error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return coordinator.WorkerView{}, err
	}
	c.mu.Lock()
	workers := slices.Clone(c.workers)
	c.mu.Unlock()
	for n := range workers {
		if workers[n].ID == id {
			workers[n].Draining, workers[n].Status, workers[n].Message = on, cluster.WorkerActive, ""
			if on {
				workers[n].Status, workers[n].Message = cluster.WorkerDraining, "finishes what it has"
			}
		}
	}
	c.SetWorkers(workers...)
	return c.Worker(ctx, p, id)
}
