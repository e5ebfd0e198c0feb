package agent

import (
	"context"
	"time"

	"cloudai/proto/pb"
)

// job is an action on its way, with the context that ends it.
type job struct {
	action Action
	ctx    context.Context
	cancel context.CancelFunc
}

// input feeds the machine and starts what it wants done.
func (a *Agent) input(f func(*Machine, time.Time) []Action) {
	for _, j := range a.feed(f) {
		go a.carryOut(j)
	}
}

// feed hands one input to the machine and returns the jobs that follow. They
// are counted already: each must be carried out.
func (a *Agent) feed(f func(*Machine, time.Time) []Action) []job {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.life.open {
		return nil
	}
	var jobs []job
	for _, action := range f(a.machine, time.Now()) {
		if j, ok := a.prepareLocked(action); ok {
			jobs = append(jobs, j)
		}
	}
	a.wg.Add(len(jobs))
	if a.life.onLeft != nil && a.machine.Left(a.cfg.StopTasks) {
		a.life.onLeft()
	}
	if next := a.machine.Deadline(); !next.IsZero() && (a.armed.IsZero() || next.Before(a.armed)) {
		a.armed = next
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
	return jobs
}

// prepareLocked does what takes no time, so that it happens in the machine's
// order, and makes jobs of the rest.
func (a *Agent) prepareLocked(action Action) (job, bool) {
	switch x := action.(type) {
	case Interrupt:
		if h := a.attempts[x.Ref]; h != nil && h.cancel != nil {
			h.cancel()
		}
		return job{}, false
	case EndLog:
		if h := a.attempts[x.Ref]; h != nil {
			h.log.End()
		}
		return job{}, false
	case Forget:
		if h := a.attempts[x.Ref]; h != nil {
			h.log.End()
		}
		delete(a.attempts, x.Ref)
		return job{}, false
	case Work:
		ctx, cancel := context.WithCancel(a.life.base)
		if h := a.attempts[x.Attempt()]; h != nil {
			h.cancel = cancel
		}
		return job{action: action, ctx: ctx, cancel: cancel}, true
	}
	return job{action: action, ctx: a.life.base, cancel: func() {}}, true
}

// carryOut carries a job out, and goes on with the attempt's next one in the
// same goroutine.
func (a *Agent) carryOut(j job) {
	for {
		jobs := a.feed(a.perform(j.ctx, j.action))
		if _, ok := j.action.(Probe); ok {
			a.tellEngine()
		}
		j.cancel()
		a.wg.Done()
		next := -1
		for i := range jobs {
			if _, ok := jobs[i].action.(Work); ok && next < 0 {
				next = i
				continue
			}
			go a.carryOut(jobs[i])
		}
		if next < 0 {
			return
		}
		j = jobs[next]
	}
}

// perform does what the action says and returns the input that brings its
// outcome to the machine.
func (a *Agent) perform(ctx context.Context, action Action) func(*Machine, time.Time) []Action {
	switch x := action.(type) {
	case Pull:
		return a.pull(ctx, x)
	case Create:
		return a.create(ctx, x)
	case RunContainer:
		return a.runContainer(ctx, x)
	case LookAt:
		return a.lookAt(ctx, x)
	case Collect:
		return a.collect(ctx, x)
	case Upload:
		return a.upload(ctx, x)
	case ReportCompletion:
		return a.reportCompletion(ctx, x)
	case PushLog:
		return a.pushLog(ctx, x)
	case Remove:
		return a.remove(ctx, x)
	case StopContainer:
		return a.stopContainer(ctx, x)
	case ReportProgress:
		return a.reportProgress(ctx, x)
	case Sample:
		return a.sample(ctx, x)
	case RemoveOrphan:
		return a.removeOrphan(ctx, x)
	case Register:
		return a.register(ctx, x)
	case SendHeartbeat:
		return a.sendHeartbeat(ctx, x)
	case ListContainers:
		return a.listContainers(ctx)
	case Probe:
		return a.probe(ctx)
	case NoteEngine:
		return a.noteEngine(ctx, x)
	case RemoveFolders:
		return a.removeFolders(ctx, x)
	}
	panic("agent: an action that nobody performs")
}

// client is the connection of the last registration.
func (a *Agent) client() pb.MasterClient {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.master
}

// limits bound what happens at the same time, whatever the number of attempts.
type limits struct {
	reports, progress, uploads, collects, samples, removes chan struct{}
}

func newLimits() limits {
	return limits{
		reports:  make(chan struct{}, 64),
		progress: make(chan struct{}, 32),
		uploads:  make(chan struct{}, 8),
		collects: make(chan struct{}, 8),
		samples:  make(chan struct{}, 8),
		removes:  make(chan struct{}, 16),
	}
}

// enter waits for a place. Without one the context has ended, and what follows
// fails by itself.
func enter(ctx context.Context, places chan struct{}) (leave func()) {
	select {
	case places <- struct{}{}:
		return func() { <-places }
	case <-ctx.Done():
		return func() {}
	}
}
