package agent_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloudai/worker/internal/executor"
)

// gate is an engine that can be switched off: its containers run on, and every
// call is refused.
type gate struct {
	executor.Executor

	mu   sync.Mutex
	down chan struct{} // closed while it is off
}

func newGate(e executor.Executor) *gate { return &gate{Executor: e, down: make(chan struct{})} }

func (g *gate) off() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.down)
}

func (g *gate) on() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = make(chan struct{})
}

// through ends ctx when the engine goes off, and tells whether it did.
func (g *gate) through(ctx context.Context) (context.Context, func(error) error) {
	g.mu.Lock()
	down := g.down
	g.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-down:
			cancel()
		case <-stop:
		}
	})
	return ctx, func(err error) error {
		close(stop)
		wg.Wait()
		cancel()
		select {
		case <-down:
			return fmt.Errorf("%w: switched off", executor.ErrEngine)
		default:
			return err
		}
	}
}

func (g *gate) Info(ctx context.Context) (executor.Info, error) {
	ctx, done := g.through(ctx)
	info, err := g.Executor.Info(ctx)
	return info, done(err)
}

func (g *gate) Ping(ctx context.Context) error {
	ctx, done := g.through(ctx)
	return done(g.Executor.Ping(ctx))
}

func (g *gate) EnsureImage(ctx context.Context, image string, progress func(executor.PullProgress)) error {
	ctx, done := g.through(ctx)
	return done(g.Executor.EnsureImage(ctx, image, progress))
}

func (g *gate) Create(ctx context.Context, spec executor.Spec) (executor.Container, error) {
	ctx, done := g.through(ctx)
	c, err := g.Executor.Create(ctx, spec)
	return c, done(err)
}

func (g *gate) Run(ctx context.Context, id string, from executor.Offsets, started func(time.Time), sink executor.LogSink) (executor.Container, error) {
	ctx, done := g.through(ctx)
	c, err := g.Executor.Run(ctx, id, from, started, sink)
	return c, done(err)
}

func (g *gate) Stop(ctx context.Context, id string, grace time.Duration) error {
	ctx, done := g.through(ctx)
	return done(g.Executor.Stop(ctx, id, grace))
}

func (g *gate) List(ctx context.Context, workerID string) ([]executor.Container, error) {
	ctx, done := g.through(ctx)
	list, err := g.Executor.List(ctx, workerID)
	return list, done(err)
}

func (g *gate) Remove(ctx context.Context, id string) error {
	ctx, done := g.through(ctx)
	return done(g.Executor.Remove(ctx, id))
}
