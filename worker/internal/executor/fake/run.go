package fake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudai/worker/internal/executor"
)

// refusal is what a start that the plan refuses says.
const refusal = "start refused: FAKE_FAIL=start"

// Run starts the container if nobody has, and waits out its time.
func (e *Executor) Run(ctx context.Context, id string, from executor.Offsets, started func(time.Time), sink executor.LogSink) (executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return executor.Container{}, err
	}
	wake, done := e.watch(id)
	defer done()
	rec, err := e.journal.read(id)
	if err != nil {
		return executor.Container{}, err
	}
	if rec.started.IsZero() {
		if rec, err = e.start(rec); err != nil {
			return executor.Container{}, err
		}
	}
	if err := writeOutput(ctx, rec.spec.OutputDir, rec.plan); err != nil {
		return executor.Container{}, err
	}
	if started != nil {
		started(rec.started)
	}
	return e.see(ctx, rec, from, sink, wake)
}

// start records the start.
func (e *Executor) start(rec record) (record, error) {
	now := time.Now().UTC()
	if rec.plan.Fail == failStart {
		if err := e.journal.add(entry{ID: rec.id, Kind: kindRefuse, Time: now}); err != nil {
			return record{}, err
		}
		return record{}, errors.New(refusal)
	}
	if err := e.journal.add(entry{ID: rec.id, Kind: kindStart, Time: now}); err != nil {
		return record{}, err
	}
	rec.started = now
	return rec, nil
}

// see hands over the log as it becomes due until the container has ended.
func (e *Executor) see(ctx context.Context, rec record, from executor.Offsets, sink executor.LogSink, wake <-chan struct{}) (executor.Container, error) {
	r := reader{plan: rec.plan, started: rec.started, off: from, sink: sink}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		n := rec.written(now)
		if err := r.send(ctx, n); err != nil {
			return executor.Container{}, err
		}
		c := rec.container(now)
		if c.Phase == executor.PhaseExited && rec.plan.Sleep > 0 {
			// Another process may have stopped it.
			return e.Inspect(ctx, rec.id)
		}
		if c.Phase == executor.PhaseExited {
			return c, nil
		}
		next := rec.end().at
		if n < rec.plan.Lines {
			line := now.Add(max(tick, rec.started.Add(rec.plan.dueAfter(n)).Sub(now)))
			if line.Before(next) {
				next = line
			}
		}
		timer.Reset(next.Sub(now))
		select {
		case <-ctx.Done():
			return executor.Container{}, ctx.Err()
		case <-timer.C:
		case <-wake:
			var err error
			if rec, err = e.journal.read(rec.id); err != nil {
				return executor.Container{}, err
			}
		}
	}
}

// Stop records the stop and waits for what follows from it.
func (e *Executor) Stop(ctx context.Context, id string, grace time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wake, done := e.watch(id)
	defer done()
	rec, err := e.journal.read(id)
	if err != nil {
		return err
	}
	if rec.container(time.Now()).Phase != executor.PhaseRunning {
		return nil
	}
	if err := e.journal.add(entry{ID: id, Kind: kindStop, Time: time.Now().UTC(), Grace: max(0, grace)}); err != nil {
		return err
	}
	e.notify(id)
	for {
		rec, err = e.journal.read(id)
		if errors.Is(err, executor.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		wait := time.Until(rec.end().at)
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("waiting for the container's end: %w", ctx.Err())
		case <-timer.C:
		case <-wake:
			timer.Stop()
		}
	}
}

// watch returns a channel that gets a value when the container was
// changed by this process, and what ends the watching.
func (e *Executor) watch(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiters[id] == nil {
		e.waiters[id] = map[chan struct{}]struct{}{}
	}
	e.waiters[id][ch] = struct{}{}
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiters[id], ch)
		if len(e.waiters[id]) == 0 {
			delete(e.waiters, id)
		}
	}
}

func (e *Executor) notify(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.waiters[id] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
