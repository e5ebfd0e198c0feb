package docker

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"cloudai/worker/internal/executor"
)

// Run sees a container through to its end.
func (e *Executor) Run(ctx context.Context, id string, from executor.Offsets, started func(time.Time), sink executor.LogSink) (executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return executor.Container{}, err
	}
	if started == nil {
		started = func(time.Time) {}
	}
	if e.hints.takeFresh(id) {
		return e.runNew(ctx, id, from, started, sink)
	}
	found, err := e.inspect(ctx, id)
	if err != nil {
		return executor.Container{}, notTold{err}
	}
	switch found.state.Phase {
	case executor.PhaseCreated:
		if found.state.HalfMade {
			return executor.Container{}, fmt.Errorf("%w: %w", executor.ErrNotFound, errHalfMade)
		}
		return e.runNew(ctx, id, from, started, sink)
	case executor.PhaseRunning:
		started(found.state.StartedAt)
		if from, err = e.follow(ctx, id, from, sink); err != nil {
			return executor.Container{}, err
		}
	case executor.PhaseExited:
		started(found.state.StartedAt)
	}
	if _, err := e.readStored(ctx, id, false, from, sink); err != nil {
		return executor.Container{}, err
	}
	return e.ended(ctx, id)
}

// runNew starts a created container, attached before the start so that not a
// byte of its log is missed, and sees it through.
func (e *Executor) runNew(ctx context.Context, id string, from executor.Offsets, started func(time.Time), sink executor.LogSink) (executor.Container, error) {
	exit, err := e.waiting(ctx, id, container.WaitConditionNextExit)
	if err != nil {
		return executor.Container{}, notTold{fail(ctx, "waiting for the container", err)}
	}
	defer exit.close()
	stream, err := e.api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return executor.Container{}, notTold{fail(ctx, "attaching to the container", err)}
	}
	if err := e.start(ctx, id); err != nil {
		stream.Close()
		return executor.Container{}, err
	}
	now, err := e.inspect(ctx, id)
	if err != nil {
		stream.Close()
		return executor.Container{}, err
	}
	started(now.state.StartedAt)
	read := func(yield func(piece) error) error { return live(stream.Reader, yield) }
	if err := newAssembler(from, sink).pump(ctx, read, stream.Close); err != nil {
		return executor.Container{}, fail(ctx, "reading the container's log", err)
	}
	// A lost connection ends the log like the container's end does; only the
	// wait tells them apart.
	select {
	case err = <-exit.done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return executor.Container{}, fail(ctx, "waiting for the container's end", err)
	}
	return e.ended(ctx, id)
}

// start tells the engine to start the container. The error says whether it may
// have heard that.
func (e *Executor) start(ctx context.Context, id string) error {
	var told atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { told.Store(true) },
	})
	err := e.api.ContainerStart(traced, id, container.StartOptions{})
	switch {
	case err == nil:
		return nil
	case !told.Load():
		return notTold{refused(ctx, err)}
	}
	return refused(ctx, err)
}

// refused is a start's error. Not found may be the container, or something
// that it needs, as the engine says in its own words.
func refused(ctx context.Context, err error) error {
	own := cerrdefs.IsNotFound(err) && strings.Contains(err.Error(), "No such container")
	if ctx.Err() != nil || engineGone(err) || own {
		return fail(ctx, "starting the container", err)
	}
	if cerrdefs.IsInvalidArgument(err) {
		return fmt.Errorf("%w: starting the container: %w", executor.ErrSpec, err)
	}
	return fmt.Errorf("starting the container: %w", err)
}

// ended returns the container's last state.
func (e *Executor) ended(ctx context.Context, id string) (executor.Container, error) {
	found, err := e.inspect(ctx, id)
	if err != nil {
		return executor.Container{}, err
	}
	if found.state.Phase != executor.PhaseExited {
		return executor.Container{}, fmt.Errorf("%w: the container's log and wait ended, but it is %s",
			executor.ErrEngine, found.state.Phase)
	}
	if found.shell && found.state.ExitCode == 127 {
		_, err := e.api.ContainerStatPath(ctx, id, "/bin/sh")
		if cerrdefs.IsNotFound(err) {
			return executor.Container{}, errNoShell
		}
	}
	if state := &found.state; state.ExitCode != 0 && !state.OOMKilled {
		if state.OOMKilled, err = e.killedForMemory(ctx, *state); err != nil {
			return executor.Container{}, err
		}
	}
	return found.state, nil
}

// errNoShell: the container's init started, but had no shell to start.
var errNoShell = fmt.Errorf("%w: the image has no /bin/sh to run a command with; use args, which the image's own program gets", executor.ErrSpec)
