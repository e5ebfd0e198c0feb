package server

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/master/internal/cluster"
	"cloudai/proto/transport"
)

// statusOf maps the core's sentinels to the codes that the proto file
// promises. Everything else is internal.
func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cluster.ErrStaleAttempt):
		return transport.Errorf(codes.FailedPrecondition, transport.ReasonStaleAttempt, "%v", err)
	case errors.Is(err, cluster.ErrUnknownTask):
		return transport.Errorf(codes.NotFound, transport.ReasonUnknownTask, "%v", err)
	case errors.Is(err, cluster.ErrUnknownSession):
		return transport.Errorf(codes.FailedPrecondition, transport.ReasonUnknownSession, "%v", err)
	case errors.Is(err, cluster.ErrClone):
		return transport.Errorf(codes.AlreadyExists, transport.ReasonClone, "%v", err)
	case errors.Is(err, cluster.ErrBarred), errors.Is(err, cluster.ErrVersion):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, cluster.ErrQuota):
		return transport.Errorf(codes.ResourceExhausted, transport.ReasonQuota, "%s", strings.TrimPrefix(err.Error(), cluster.ErrQuota.Error()+": "))
	case errors.Is(err, cluster.ErrDenied):
		return status.Error(codes.Unauthenticated, err.Error())
	case errors.Is(err, cluster.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, cluster.ErrConflict), errors.Is(err, cluster.ErrIllegalTransition):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, cluster.ErrUnavailable):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, "internal error; the master's log has it")
}
