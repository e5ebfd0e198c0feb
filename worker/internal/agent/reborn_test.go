package agent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
)

// reborn is an engine that is started anew right after it was first asked what it
// has. Like the real one it tells that at the next sign of life, if there was one
// before.
type reborn struct {
	executor.Executor

	mu       sync.Mutex
	asked    bool
	lives    int
	lastSeen int // the life that gave the last sign; 0: none did
}

func (e *reborn) Info(ctx context.Context) (executor.Info, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.asked {
		e.asked = true
		e.lives++
	}
	return e.Executor.Info(ctx)
}

func (e *reborn) Ping(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.lastSeen
	e.lastSeen = e.lives
	if before != 0 && before != e.lives {
		return fmt.Errorf("%w: started anew", executor.ErrEngine)
	}
	return nil
}

// F08, F04: an engine that goes and comes while a worker starts is missed: what it
// has ended must not pass for the containers' own end.
func TestF08EngineRestartsWhileTheWorkerStarts(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	startWorker(t, m, dir, "s1", func(c *agent.Config) { c.Executor = &reborn{Executor: c.Executor, lives: 1} })
	m.await(t, "the absence to be noted", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "engine.json"))
		return err == nil && strings.Contains(string(data), `"absences"`)
	})
}
