package docker

import (
	"context"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Stop leaves TERM, grace and KILL to the engine, which goes on with them
// when this process dies meanwhile. The engine counts whole seconds: a
// fraction is rounded up. An image's own stop signal takes TERM's place.
func (e *Executor) Stop(ctx context.Context, id string, grace time.Duration) error {
	e.hints.kill(id)
	if grace <= 0 {
		return e.kill(ctx, id)
	}
	seconds := wholeSeconds(grace)
	err := e.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	return fail(ctx, "stopping the container", err)
}

func (e *Executor) kill(ctx context.Context, id string) error {
	err := e.api.ContainerKill(ctx, id, "KILL")
	if cerrdefs.IsConflict(err) {
		return nil // it does not run
	}
	if err == nil {
		err = e.waitFor(ctx, id, container.WaitConditionNotRunning)
	}
	return fail(ctx, "killing the container", err)
}

// exitWait is a wait that the engine has taken note of.
type exitWait struct {
	done   <-chan error // gets one value: nil when the condition holds
	cancel context.CancelFunc
}

// waiting asks the engine to tell when the condition holds. When it returns,
// the engine has taken note. close must be called.
func (e *Executor) waiting(ctx context.Context, id string, condition container.WaitCondition) (exitWait, error) {
	ctx, cancel := context.WithCancel(ctx)
	results, errs := e.api.ContainerWait(ctx, id, condition)
	select {
	case err := <-errs:
		cancel()
		return exitWait{}, err
	default:
	}
	done := make(chan error, 1)
	go func() {
		defer close(done)
		// Exactly one of them gets a value, also after cancel.
		select {
		case <-results:
			done <- nil
		case err := <-errs:
			done <- err
		}
	}()
	return exitWait{done: done, cancel: cancel}, nil
}

// close ends the wait and has joined its goroutine when it returns.
func (w exitWait) close() {
	w.cancel()
	for range w.done {
	}
}

// waitFor blocks until the condition holds.
func (e *Executor) waitFor(ctx context.Context, id string, condition container.WaitCondition) error {
	w, err := e.waiting(ctx, id, condition)
	if err != nil {
		return err
	}
	defer w.close()
	return <-w.done
}
