package cluster

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The sentinels; edges map each of them once. Everything else is internal.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid")
	ErrDenied      = errors.New("denied")
	ErrUnavailable = errors.New("unavailable")
	ErrQuota       = errors.New("quota")
	// ErrNoRoom is an ErrUnavailable: the store's disk is full, and nothing of what
	// was asked has happened.
	ErrNoRoom = fmt.Errorf("%w: no room", ErrUnavailable)
	// ErrUnauthenticated: nobody can be recognised by what the caller has shown.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrPrecondition: the thing has changed since the caller looked at it.
	ErrPrecondition = errors.New("precondition failed")
	// ErrInFlight: the first of two equal requests has not been answered yet.
	ErrInFlight = errors.New("in flight")
	// ErrBusy: too much of this at once; the same call succeeds a little later.
	ErrBusy = errors.New("busy")

	// ErrGone: what was there is kept no longer.
	ErrGone = errors.New("gone")

	// ErrStaleAttempt refuses what an attempt says that is no longer the
	// task's live one. Final for the sender.
	ErrStaleAttempt = errors.New("stale attempt")
	// ErrUnknownTask refuses a report about a task that the master never had
	// or has forgotten. Final for the sender.
	ErrUnknownTask = errors.New("unknown task")
	// ErrUnknownSession tells a worker to register again.
	ErrUnknownSession = errors.New("unknown session")
	// ErrClone refuses a second worker under the id of a live one.
	ErrClone = errors.New("worker id is in use by another live worker")
	// ErrBarred refuses a worker that an administrator has removed.
	ErrBarred = errors.New("worker is barred")
	// ErrVersion refuses a worker whose version is too far from the master's.
	ErrVersion = errors.New("versions are too far apart")
	// ErrRefused: a worker definitely did not take an assignment.
	ErrRefused = errors.New("worker refused")
	// ErrConnRefused: nothing listens at a worker's address.
	ErrConnRefused = errors.New("connection refused")
	// ErrOtherCertificate: somebody else than the worker answers at its address.
	ErrOtherCertificate = errors.New("another certificate")
	// ErrNoAttempt: a worker has no such attempt.
	ErrNoAttempt = errors.New("worker has no such attempt")
	// ErrIllegalTransition is a jump that the lifecycle does not have.
	ErrIllegalTransition = errors.New("illegal transition")
)

// HiddenError is an error whose cause is for logs and not for callers.
type HiddenError struct {
	Sentinel error
	Said     string // what callers are told
	Cause    error
}

// Error is the whole, for logs.
func (e *HiddenError) Error() string {
	return e.Sentinel.Error() + ": " + e.Said + ": " + e.Cause.Error()
}

// Unwrap gives both.
func (e *HiddenError) Unwrap() []error { return []error{e.Sentinel, e.Cause} }

// StoreUnavailable is the ErrUnavailable of a store that did not do what it was
// asked.
func StoreUnavailable(cause error) error {
	return &HiddenError{Sentinel: ErrUnavailable, Said: "the store does not answer as it should; try again in a moment", Cause: cause}
}

// StoreFull is the ErrNoRoom of a store that has done nothing.
func StoreFull(cause error) error {
	return &HiddenError{
		Sentinel: ErrNoRoom, Cause: cause,
		Said: "the master's disk is full, and nothing of this was done; an administrator has to make room",
	}
}

// WaitError is an ErrBusy that is over after a while.
type WaitError struct {
	Said  string
	After time.Duration
}

// Error is what callers are told.
func (e *WaitError) Error() string { return ErrBusy.Error() + ": " + e.Said }

// Unwrap makes errors.Is(err, ErrBusy) hold.
func (e *WaitError) Unwrap() error { return ErrBusy }

// FieldError is one thing wrong with one field of a request.
type FieldError struct {
	Location string // as the sender wrote it: "cpu_required", "env.PATH", "inputs[2].path"
	Message  string // what is wrong, and what would be right
}

// InvalidError lists every bad field of a request. It is an ErrInvalid.
type InvalidError struct {
	Fields []FieldError
}

// Error joins the fields in one line.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Location + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// Invalid makes an InvalidError of a single field.
func Invalid(location, message string) error {
	return &InvalidError{Fields: []FieldError{{Location: location, Message: message}}}
}

// FaultsOf are the bad fields that an error names; of one that names none, the
// error itself.
func FaultsOf(err error) []FieldError {
	var invalid *InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return invalid.Fields
	}
	return []FieldError{{Message: err.Error()}}
}
