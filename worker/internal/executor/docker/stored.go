package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/worker/internal/executor"
)

// followTail is how long a followed log may go on after the container's end.
const followTail = time.Second

// Logs sends what the engine stored from the offsets on.
func (e *Executor) Logs(ctx context.Context, id string, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
	if err := ctx.Err(); err != nil {
		return from, err
	}
	return e.readStored(ctx, id, false, from, sink)
}

// readStored reads the stored log, from its first byte since offsets can only
// be counted, and sends what lies beyond the offsets.
func (e *Executor) readStored(ctx context.Context, id string, follow bool, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
	body, err := e.api.ContainerLogs(ctx, id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow,
	})
	if err != nil {
		return from, fail(ctx, "reading the container's log", err)
	}
	a := newAssembler(from, sink)
	a.bulk = !follow
	read := func(yield func(piece) error) error { return stored(body, yield) }
	err = a.pump(ctx, read, func() { _ = body.Close() })
	return a.reached(), fail(ctx, "reading the container's log", err)
}

// follow sends a running container's stored log until the container has
// ended. The engine may lose the end of a followed log, so it is to be read
// once more afterwards.
func (e *Executor) follow(ctx context.Context, id string, from executor.Offsets, sink executor.LogSink) (executor.Offsets, error) {
	exit, err := e.waiting(ctx, id, container.WaitConditionNotRunning)
	if err != nil {
		return from, fail(ctx, "waiting for the container's end", err)
	}
	defer exit.close()
	for {
		reached, ended, err := e.followOnce(ctx, id, exit, from, sink)
		if ended || err != nil {
			return reached, err
		}
		// The engine ended the log before the container.
		from = reached
	}
}

// errTail ends a followed log that goes on after the container's end.
var errTail = errors.New("the log goes on after the container's end")

// followOnce follows until the log ends, and says whether the container has
// ended too.
func (e *Executor) followOnce(ctx context.Context, id string, exit exitWait, from executor.Offsets, sink executor.LogSink) (executor.Offsets, bool, error) {
	following, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type end struct {
		reached executor.Offsets
		err     error
	}
	ended := make(chan end, 1)
	go func() {
		reached, err := e.readStored(following, id, true, from, sink)
		ended <- end{reached, err}
	}()
	select {
	case err := <-exit.done:
		timer := time.AfterFunc(followTail, func() { cancel(errTail) })
		log := <-ended
		timer.Stop()
		if errors.Is(log.err, context.Canceled) && errors.Is(context.Cause(following), errTail) {
			log.err = nil
		}
		return log.reached, true, errors.Join(log.err, fail(ctx, "waiting for the container's end", err))
	case log := <-ended:
		if log.err != nil {
			return log.reached, false, log.err
		}
		select {
		case err := <-exit.done:
			return log.reached, true, fail(ctx, "waiting for the container's end", err)
		case <-time.After(followTail):
			return log.reached, false, nil
		case <-ctx.Done():
			return log.reached, false, fmt.Errorf("following the log: %w", ctx.Err())
		}
	}
}
