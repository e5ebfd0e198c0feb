package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"cloudai/worker/internal/executor"
)

// fail gives an API call's error its place among the contract's. ctx is the
// caller's context, not one bounded by this package: when that has not ended,
// a deadline means an engine that does not answer.
func fail(ctx context.Context, doing string, err error) error {
	var sink sinkError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &sink):
		return sink.error
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("%w: %s: %w", executor.ErrNotFound, doing, err)
	case cerrdefs.IsInvalidArgument(err):
		return fmt.Errorf("%w: %s: %w", executor.ErrSpec, doing, err)
	case engineGone(err):
		return fmt.Errorf("%w: %s: %w", executor.ErrEngine, doing, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// engineGone tells a broken or silent connection, or an engine that says it
// is unavailable, from a refusal.
func engineGone(err error) bool {
	var netErr net.Error
	return client.IsErrConnectionFailed(err) ||
		cerrdefs.IsUnavailable(err) ||
		errors.As(err, &netErr) ||
		errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)
}

// notTold marks an error that came before the engine was told to start the
// container.
type notTold struct{ error }

// Is makes it executor.ErrNotTold.
func (e notTold) Is(target error) bool { return target == executor.ErrNotTold }

// Unwrap returns what went wrong.
func (e notTold) Unwrap() error { return e.error }

// sinkError keeps a sink's error apart from the engine's.
type sinkError struct{ error }

// Unwrap returns what the sink said.
func (e sinkError) Unwrap() error { return e.error }
