package coordinator

import (
	"context"
	"sync"
)

// errands are the goroutines of Run: its own, and the calls that steps ask for.
// The zero value is ready.
type errands struct {
	mu    sync.Mutex // guards the three below
	ctx   context.Context
	early []func(context.Context) // asked for before begin, which starts them
	over  bool
	all   sync.WaitGroup
}

// begin starts what was asked for by now, and what will be, with ctx.
func (e *errands) begin(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ctx = ctx
	for _, do := range e.early {
		e.all.Go(func() { do(ctx) })
	}
	e.early = nil
}

// run has do run in a goroutine: not before begin, and after end not at all.
func (e *errands) run(do func(context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.over:
	case e.ctx == nil:
		e.early = append(e.early, do)
	default:
		ctx := e.ctx
		e.all.Go(func() { do(ctx) })
	}
}

// end waits for all that runs; what is asked for from now on does not.
func (e *errands) end() {
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
	e.all.Wait()
}
