package agent

import (
	"context"
	"errors"
	"time"

	"cloudai/worker/internal/executor"
)

type feedback = func(*Machine, time.Time) []Action

func (a *Agent) pull(ctx context.Context, x Pull) feedback {
	report := a.throttle(func(done, total int64) feedback {
		return func(m *Machine, now time.Time) []Action {
			return m.Pulling(now, x.Ref, executor.PullProgress{DoneBytes: done, TotalBytes: total})
		}
	})
	var last executor.PullProgress
	err := a.cfg.Executor.EnsureImage(ctx, x.Image, func(p executor.PullProgress) {
		last = p
		report(p.DoneBytes, p.TotalBytes)
	})
	return func(m *Machine, now time.Time) []Action {
		m.brought(x.Ref, last.DoneBytes)
		return m.Pulled(now, x.Ref, err)
	}
}

// throttle passes progress on at once, and then once a second.
func (a *Agent) throttle(input func(done, total int64) feedback) func(done, total int64) {
	var last time.Time
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= bytesEvery {
			last = now
			a.input(input(done, total))
		}
	}
}

func (a *Agent) create(ctx context.Context, x Create) feedback {
	c, err := executor.Container{}, a.makeOutputDir(x.Ref)
	if err == nil {
		c, err = a.cfg.Executor.Create(ctx, x.Spec)
	}
	if log := a.Logs(x.Ref); err == nil && log != nil {
		a.storeLog(log, c.ID)
	}
	return func(m *Machine, now time.Time) []Action { return m.Created(now, x.Ref, c, err) }
}

func (a *Agent) runContainer(ctx context.Context, x RunContainer) feedback {
	log := a.Logs(x.Ref)
	a.markStarted(x.Ref)
	started := func(at time.Time) {
		a.input(func(m *Machine, now time.Time) []Action { return m.Started(now, x.Ref, at) })
	}
	c, err := a.cfg.Executor.Run(ctx, x.ID, log.Head(), started, log.Append)
	if err == nil {
		a.log.Debug("container ended", "task_id", x.Ref.TaskID, "attempt", x.Ref.Attempt, "exit_code", c.ExitCode)
	}
	return func(m *Machine, now time.Time) []Action { return m.Exited(now, x.Ref, c, log.Head(), err) }
}

func (a *Agent) lookAt(ctx context.Context, x LookAt) feedback {
	log := a.Logs(x.Ref)
	c, err := a.cfg.Executor.Inspect(ctx, x.ID)
	if err == nil && x.Forgotten && c.Phase == executor.PhaseCreated {
		_, err = a.cfg.Executor.Logs(ctx, x.ID, log.Head(), log.Append)
	}
	return func(m *Machine, now time.Time) []Action { return m.LookedAt(now, x.Ref, c, log.Head(), err) }
}

// stopTimeout bounds a stop beyond its grace.
const stopTimeout = 30 * time.Second

func (a *Agent) stopContainer(ctx context.Context, x StopContainer) feedback {
	ctx, cancel := context.WithTimeout(ctx, x.Grace+stopTimeout)
	defer cancel()
	err := a.cfg.Executor.Stop(ctx, x.ID, x.Grace)
	return func(m *Machine, now time.Time) []Action { return m.Stopped(now, x.Ref, err) }
}

func (a *Agent) remove(ctx context.Context, x Remove) feedback {
	err := a.removeAll(ctx, x.Ref, x.ID, x.Grace)
	return func(m *Machine, now time.Time) []Action { return m.Removed(now, x.Ref, err) }
}

func (a *Agent) removeOrphan(ctx context.Context, x RemoveOrphan) feedback {
	err := a.removeAll(ctx, x.Ref, x.ID, x.Grace)
	if err == nil {
		a.log.Info("removed a container that no attempt owns", "task_id", x.Ref.TaskID, "attempt", x.Ref.Attempt)
	}
	return func(m *Machine, now time.Time) []Action { return m.OrphanRemoved(now, x.Ref, err) }
}

// removeAll removes the container first: the folder of one that is still there
// must not be missed by it.
func (a *Agent) removeAll(ctx context.Context, ref Ref, id string, grace time.Duration) error {
	defer enter(ctx, a.limits.removes)()
	if id != "" && grace > 0 {
		stopCtx, cancel := context.WithTimeout(ctx, grace+stopTimeout)
		err := a.cfg.Executor.Stop(stopCtx, id, grace)
		cancel()
		if err != nil && !errors.Is(err, executor.ErrNotFound) {
			return err
		}
	}
	if id != "" {
		if err := a.cfg.Executor.Remove(ctx, id); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.removeOutput(ref)
}

func (a *Agent) listContainers(ctx context.Context) feedback {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	containers, err := a.cfg.Executor.List(ctx, a.cfg.Worker.ID)
	return func(m *Machine, now time.Time) []Action { return m.Listed(now, containers, err) }
}

// probeTimeout is when an engine that says nothing counts as away.
const probeTimeout = 5 * time.Second

// probe asks for a sign of life. After an absence it also asks whether
// containers outlive the engine, which decides what their ends mean.
func (a *Agent) probe(ctx context.Context) feedback {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	alive := Alive{Err: a.cfg.Executor.Ping(ctx)}
	a.mu.Lock()
	away := !a.machine.EngineUp()
	a.mu.Unlock()
	if alive.Err == nil && away {
		info, err := a.cfg.Executor.Info(ctx)
		if err == nil {
			a.notes.is(info.Instance)
		}
		alive = Alive{Err: err, Outlived: info.LiveRestore}
	}
	if alive.Err == nil && !away {
		a.notes.seen(began)
	}
	alive.Low = diskLow(a.cfg.Dir, a.cfg.DiskReserve)
	return func(m *Machine, now time.Time) []Action { return m.Probed(now, alive) }
}

// tellEngine logs when the engine has gone or come back.
func (a *Agent) tellEngine() {
	a.mu.Lock()
	up, message := a.machine.EngineUp(), a.machine.EngineMessage()
	changed := up != a.engineUp
	a.engineUp = up
	a.mu.Unlock()
	switch {
	case !changed:
	case up:
		a.log.Info("the engine answers again")
	default:
		a.log.Warn("the engine does not answer: no tasks are taken", "error", message)
	}
}

// find lists the containers of earlier processes. It asks until the engine
// answers: without the list nothing can be said of what runs here. The sign of
// life comes first, so that the next one tells whether it is still this engine.
func (a *Agent) find(ctx context.Context) (findings, error) {
	for {
		f := findings{asked: time.Now()}
		err := a.cfg.Executor.Ping(ctx)
		if err == nil {
			f.engine, err = a.cfg.Executor.Info(ctx)
		}
		if err == nil {
			f.containers, err = a.cfg.Executor.List(ctx, a.cfg.Worker.ID)
		}
		if err == nil {
			return f, nil
		}
		if ctx.Err() != nil {
			return findings{}, ctx.Err()
		}
		a.saying.say("waiting for the engine", err, a.log.Warn)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return findings{}, ctx.Err()
		}
	}
}

// findings are what earlier processes have left with the engine.
type findings struct {
	asked      time.Time // when the engine was first asked, and answered
	engine     executor.Info
	containers []executor.Container
}
