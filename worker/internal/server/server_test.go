package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/worker/internal/agent"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{fmt.Errorf("%w: task id", agent.ErrInvalid), codes.InvalidArgument},
		{fmt.Errorf("%w: leaving", agent.ErrRefused), codes.FailedPrecondition},
		{agent.ErrUnknown, codes.NotFound},
		{fmt.Errorf("reading: %w", context.Canceled), codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{status.Error(codes.Unavailable, "connection broken"), codes.Unavailable},
		{errors.New("disk"), codes.Internal},
	} {
		if got := status.Code(toStatus(c.err)); got != c.code {
			t.Errorf("%v: %v, want %v", c.err, got, c.code)
		}
	}
}

func TestGraceIsTenSecondsUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct {
		in   *durationpb.Duration
		want time.Duration
	}{{nil, 10 * time.Second}, {durationpb.New(0), 0}, {durationpb.New(time.Second), time.Second}} {
		if got := specFromPB(&pb.Task{GracePeriod: c.in}).Grace; got != c.want {
			t.Errorf("%v: %v", c.in, got)
		}
	}
}
