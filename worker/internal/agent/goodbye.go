package agent

import (
	"context"
	"time"
)

// How long leaving may take: to tell the master and let results that are on
// their way arrive, and with StopTasks to stop and report the tasks.
const (
	leaveTimeout = 2 * time.Second
	stopAllLimit = 8 * time.Second
)

// leave announces the worker's stop. Containers run on unless the
// configuration says otherwise; a new process adopts them.
func (a *Agent) leave(base context.Context) {
	limit := leaveTimeout
	if a.cfg.StopTasks {
		limit = stopAllLimit
	}
	ctx, cancel := context.WithTimeout(base, limit)
	defer cancel()
	a.mu.Lock()
	all, running := a.machine.Attempts()
	a.life.onLeft = cancel
	a.mu.Unlock()
	switch {
	case a.cfg.StopTasks:
		a.log.Info("stopping with all tasks", "tasks", all)
	case running > 0:
		a.log.Info("stopping; containers run on and are adopted by the next start (--stop-tasks would stop them)",
			"containers", running, "restart_grace", a.cfg.RestartGrace)
	default:
		a.log.Info("stopping; no container runs")
	}
	a.input(func(m *Machine, now time.Time) []Action { return m.Leave(now, a.cfg.StopTasks) })
	a.loop(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if all, _ := a.machine.Attempts(); a.cfg.StopTasks && all > 0 {
		a.log.Warn("stopped before all tasks had ended; the next start reports the rest", "tasks", all)
	}
}
