package cluster

import "fmt"

// State is the fine lifecycle of a task's present attempt.
type State string

// The states in their order; every task that succeeds enters all of them.
const (
	StateCreated          State = "created"
	StateQueued           State = "queued"
	StateAssigned         State = "assigned"
	StateImagePulled      State = "image_pulled"
	StateContainerCreated State = "container_created"
	StateRunning          State = "running"
	StateCollectOutput    State = "collect_output"
	StateUploadFiles      State = "upload_files"
	StateReportResult     State = "report_result"
	StateStored           State = "stored"
)

// States lists all states in lifecycle order.
var States = []State{
	StateCreated, StateQueued, StateAssigned, StateImagePulled, StateContainerCreated,
	StateRunning, StateCollectOutput, StateUploadFiles, StateReportResult, StateStored,
}

// Rank is the state's place in the lifecycle from 0, -1 for none of ours.
func (s State) Rank() int {
	switch s {
	case StateCreated:
		return 0
	case StateQueued:
		return 1
	case StateAssigned:
		return 2
	case StateImagePulled:
		return 3
	case StateContainerCreated:
		return 4
	case StateRunning:
		return 5
	case StateCollectOutput:
		return 6
	case StateUploadFiles:
		return 7
	case StateReportResult:
		return 8
	case StateStored:
		return 9
	}
	return -1
}

// Waiting reports whether the task waits for a worker.
func (s State) Waiting() bool { return s == StateCreated || s == StateQueued }

// Placed reports whether a worker owns the attempt.
func (s State) Placed() bool { r := s.Rank(); return r >= 2 && r <= 8 }

// Terminal reports whether nothing can happen to the task any more.
func (s State) Terminal() bool { return s == StateStored }

// Outcome says how a container or an attempt ended.
type Outcome string

// The outcomes; the empty one means that it has not ended.
const (
	OutcomeSuccess   Outcome = "success"
	OutcomeFailed    Outcome = "failed"
	OutcomeCancelled Outcome = "cancelled"
)

// Status is the coarse state that people filter by.
type Status string

// The statuses.
const (
	StatusQueued    Status = "queued"
	StatusAssigned  Status = "assigned"
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// Statuses lists all statuses.
var Statuses = []Status{StatusQueued, StatusAssigned, StatusRunning, StatusSucceeded, StatusFailed, StatusCancelled}

// ParseStatus checks a status from outside.
func ParseStatus(s string) (Status, error) {
	for _, known := range Statuses {
		if string(known) == s {
			return known, nil
		}
	}
	return "", fmt.Errorf("%w: unknown status %q, known are queued assigned running succeeded failed cancelled", ErrInvalid, s)
}

// Terminal reports whether the status is a verdict.
func (s Status) Terminal() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCancelled
}

// StatusOf derives the status from the state and, when stored, the outcome.
func StatusOf(state State, outcome Outcome) Status {
	switch state {
	case StateCreated, StateQueued:
		return StatusQueued
	case StateAssigned, StateImagePulled, StateContainerCreated:
		return StatusAssigned
	case StateRunning, StateCollectOutput, StateUploadFiles, StateReportResult:
		return StatusRunning
	case StateStored:
		switch outcome {
		case OutcomeSuccess:
			return StatusSucceeded
		case OutcomeCancelled:
			return StatusCancelled
		case OutcomeFailed:
			return StatusFailed
		}
	}
	return StatusFailed
}

// Failure is the class of what went wrong.
type Failure string

// The classes; the empty one means that nothing did.
const (
	FailureExit       Failure = "exit"
	FailureOOM        Failure = "oom"
	FailureTimeout    Failure = "timeout"
	FailureImage      Failure = "image"
	FailureRegistry   Failure = "registry"
	FailureRuntime    Failure = "runtime"
	FailureWorkerLost Failure = "worker_lost"
	FailureStorage    Failure = "storage"
	FailureUpload     Failure = "upload"
)

// Failures lists all failure classes.
var Failures = []Failure{
	FailureExit, FailureOOM, FailureTimeout, FailureImage, FailureRegistry,
	FailureRuntime, FailureWorkerLost, FailureStorage, FailureUpload,
}

// ParseFailure checks a failure class from outside.
func ParseFailure(s string) (Failure, error) {
	for _, known := range Failures {
		if string(known) == s {
			return known, nil
		}
	}
	return "", fmt.Errorf("%w: unknown failure class %q", ErrInvalid, s)
}

// Budget says which allowance another attempt after a failure uses.
type Budget int

// The budgets.
const (
	BudgetNone       Budget = iota // no further attempt
	BudgetRetry                    // max_retries: the task did it
	BudgetReschedule               // max_reschedules: it was done to the task
	BudgetFree                     // nothing had begun: no allowance is used
)

// Budget names the allowance that pays for another attempt after this
// failure. image, registry, storage and upload would end alike elsewhere.
func (f Failure) Budget() Budget {
	switch f {
	case FailureExit, FailureOOM, FailureTimeout:
		return BudgetRetry
	case FailureRuntime, FailureWorkerLost:
		return BudgetReschedule
	case FailureImage, FailureRegistry, FailureStorage, FailureUpload:
		return BudgetNone
	}
	return BudgetNone
}
