package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The reasons that tell failures of one code apart. Each is the first word of
// the status message.
const (
	// ReasonStaleAttempt (FAILED_PRECONDITION): a newer attempt has taken over,
	// or the task is finished. Final.
	ReasonStaleAttempt = "stale_attempt"
	// ReasonUnknownTask (NOT_FOUND): there is no such task. Final.
	ReasonUnknownTask = "unknown_task"
	// ReasonUnknownSession (FAILED_PRECONDITION): register again.
	ReasonUnknownSession = "unknown_session"
	// ReasonQuota (RESOURCE_EXHAUSTED): no more of this file is taken.
	ReasonQuota = "quota"
	// ReasonClone (ALREADY_EXISTS): the worker's id is live elsewhere.
	ReasonClone = "clone"
)

var reasons = []string{ReasonStaleAttempt, ReasonUnknownTask, ReasonUnknownSession, ReasonQuota, ReasonClone}

// Errorf returns a gRPC status error whose message is "reason: text".
func Errorf(code codes.Code, reason, format string, args ...any) error {
	return status.Error(code, reason+": "+fmt.Sprintf(format, args...))
}

// Reason returns the reason that err carries, or "" when it carries none of
// those above. It sees through wrapping.
func Reason(err error) string {
	// status.FromError would do, but it puts the wrapping text before the
	// message.
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) {
		return ""
	}
	reason, _, _ := strings.Cut(carrier.GRPCStatus().Message(), ":")
	if !slices.Contains(reasons, reason) {
		return ""
	}
	return reason
}
