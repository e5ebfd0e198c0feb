package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"
)

// hurts is what was done, by kind, and what went wrong in doing it.
type hurts struct {
	mu    sync.Mutex
	count map[string]int // by target's sort and kind
	errs  []error
}

// had reports whether something was done to that target.
func (h *hurts) had(target, kind string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[target+": "+kind] > 0
}

// hurt follows the plan until the context ends and everything that was begun is
// undone.
func (st *stage) hurt(ctx context.Context, plan []wound, j *journal) *hurts {
	h := &hurts{count: map[string]int{}}
	var group sync.WaitGroup
	began := time.Now()
	for _, w := range plan {
		if !pause(ctx, w.at-time.Since(began)) {
			break
		}
		group.Go(func() {
			err := st.inflict(ctx, w, j)
			h.mu.Lock()
			defer h.mu.Unlock()
			if err != nil {
				h.errs = append(h.errs, fmt.Errorf("%s: %w", w, err))
				j.say("%s: %v", w, err)
				return
			}
			h.count[w.target+": "+w.kind]++
		})
	}
	group.Wait()
	return h
}

// pause waits and reports whether the context still lasts.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// inflict does one thing and undoes it. One target is hurt in one way at a time;
// different ones at once.
func (st *stage) inflict(ctx context.Context, w wound, j *journal) error {
	// What is begun is also undone.
	lasting := context.WithoutCancel(ctx)
	name, isEngine := strings.CutPrefix(w.target, "engine ")
	if isEngine {
		e := st.engines[name]
		e.turn.Lock()
		defer e.turn.Unlock()
		j.say("%s", w)
		return e.hurt(ctx, lasting, w)
	}
	if of, isDisk := strings.CutPrefix(w.target, "disk of "); isDisk {
		j.say("%s", w)
		return st.fill(ctx, of, w)
	}
	a := st.master
	if w.target != a.name {
		a = st.workers[w.target]
	}
	a.turn.Lock()
	defer a.turn.Unlock()
	j.say("%s", w)
	switch w.kind {
	case cutOff, unplugged, deaf:
		return st.disturb(ctx, lasting, w)
	case frozen:
		if err := a.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, w.length)
		return a.Signal(syscall.SIGCONT)
	}
	return a.restart(ctx, w)
}

// orderly is how long a process may take to end that was asked to.
const orderly = 15 * time.Second

func (e *engine) hurt(ctx, lasting context.Context, w wound) error {
	end := e.Kill
	switch w.kind {
	case terminated:
		end = e.Stop
	case torn:
		end = e.KillAll
	}
	if err := end(lasting); err != nil {
		return err
	}
	pause(ctx, w.length)
	err := e.Start(lasting)
	e.watcher.again()
	return err
}

// disturb spoils a worker's network for a while.
func (st *stage) disturb(ctx, lasting context.Context, w wound) error {
	h := st.hosts[w.target]
	spoil := h.Cut
	switch w.kind {
	case unplugged:
		spoil = h.Unplug
	case deaf:
		spoil = h.Refuse
	}
	err := spoil(lasting)
	pause(ctx, w.length)
	return errors.Join(err, h.Heal(lasting))
}

// fill takes the room of a disk away for a while.
func (st *stage) fill(ctx context.Context, of string, w wound) error {
	d := st.disks[of]
	d.turn.Lock()
	defer d.turn.Unlock()
	leave := int64(0)
	if w.kind == nearlyFull {
		leave = 8 << 20
	}
	err := d.Fill(leave)
	pause(ctx, w.length)
	return errors.Join(err, d.Empty())
}
