package transport

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestReason(t *testing.T) {
	stale := Errorf(codes.FailedPrecondition, ReasonStaleAttempt, "attempt %d of task %s is over", 1, "t: 1")
	if got, want := status.Convert(stale).Message(), "stale_attempt: attempt 1 of task t: 1 is over"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"none":            {nil, codes.OK, ""},
		"stale attempt":   {stale, codes.FailedPrecondition, ReasonStaleAttempt},
		"unknown task":    {Errorf(codes.NotFound, ReasonUnknownTask, "t1"), codes.NotFound, ReasonUnknownTask},
		"unknown session": {Errorf(codes.FailedPrecondition, ReasonUnknownSession, "s1"), codes.FailedPrecondition, ReasonUnknownSession},
		"quota":           {Errorf(codes.ResourceExhausted, ReasonQuota, "1 MiB"), codes.ResourceExhausted, ReasonQuota},
		"clone":           {Errorf(codes.AlreadyExists, ReasonClone, "w1"), codes.AlreadyExists, ReasonClone},
		"no text":         {Errorf(codes.ResourceExhausted, ReasonQuota, ""), codes.ResourceExhausted, ReasonQuota},
		"reason alone":    {status.Error(codes.ResourceExhausted, "quota"), codes.ResourceExhausted, ReasonQuota},
		"percent in text": {Errorf(codes.NotFound, ReasonUnknownTask, "%s", "100%d"), codes.NotFound, ReasonUnknownTask},
		"other word":      {status.Error(codes.ResourceExhausted, "grpc: message too large"), codes.ResourceExhausted, ""},
		"word further on": {status.Error(codes.NotFound, "no: quota"), codes.NotFound, ""},
		"word with more":  {status.Error(codes.NotFound, "quotas: many"), codes.NotFound, ""},
		"not a status":    {errors.New("quota: 1"), codes.Unknown, ""},
		"context":         {context.Canceled, codes.Unknown, ""},
		"wrapped":         {fmt.Errorf("report: %w", stale), codes.FailedPrecondition, ReasonStaleAttempt},
		"joined":          {errors.Join(errors.New("close"), stale), codes.FailedPrecondition, ReasonStaleAttempt},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Reason(c.err); got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			if got := status.Code(c.err); got != c.code {
				t.Errorf("code %v, want %v", got, c.code)
			}
		})
	}
}
