package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloudai/master/e2e/rig"
)

// actor is a process that is killed and started again.
type actor struct {
	name  string
	turn  sync.Mutex // held while something is done to it
	start func() (*rig.Process, error)
	*rig.Process
	down bool // it has been ended here

	mu    sync.Mutex
	faded []string // its ends that nobody here has brought about
}

// ensure starts the process when it does not run; the turn must be held.
func (a *actor) ensure() error {
	if a.Process != nil && a.Running() {
		return nil
	}
	if a.Process != nil && !a.down {
		a.mu.Lock()
		a.faded = append(a.faded, fmt.Sprintf("%s ended by itself with code %d:\n%s", a.name, a.ExitCode(), a.Tail(1500)))
		a.mu.Unlock()
	}
	p, err := a.start()
	if err == nil {
		a.Process, a.down = p, false
	}
	return err
}

// restart ends a process, and starts it after a while.
func (a *actor) restart(ctx context.Context, w wound) error {
	end := a.Kill
	if w.kind == terminated {
		end = func() error { return a.Term(orderly) }
	}
	if a.Running() {
		a.down = true
	}
	if err := end(); err != nil {
		return err
	}
	pause(ctx, w.length)
	return a.ensure()
}

// mind starts processes again that end by themselves, until the context ends.
func (st *stage) mind(ctx context.Context) {
	for pause(ctx, time.Second) {
		for _, a := range st.actors() {
			if !a.turn.TryLock() {
				continue
			}
			_ = a.ensure() // it is tried again
			a.turn.Unlock()
		}
	}
}

// ended is what ended by itself and should not have: where there is no room, a
// start may be given up.
func (st *stage) ended(h *hurts) []string {
	var all []string
	for _, a := range st.actors() {
		a.mu.Lock()
		if !h.had("disk of "+a.name, full) {
			all = append(all, a.faded...)
		}
		a.mu.Unlock()
	}
	return all
}
