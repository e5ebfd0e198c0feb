package agent

import (
	"cmp"
	"time"

	"cloudai/worker/internal/executor"
)

// Ref names one attempt without doubt.
type Ref struct {
	TaskID  string
	Attempt int
	Lease   string
}

// Compare orders refs, so that nothing hangs on the order of a map.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(
		cmp.Compare(r.TaskID, other.TaskID),
		cmp.Compare(r.Attempt, other.Attempt),
		cmp.Compare(r.Lease, other.Lease),
	)
}

func refOf(k executor.Key) Ref {
	return Ref{TaskID: k.TaskID, Attempt: k.Attempt, Lease: k.Lease}
}

// State is the fine lifecycle of an attempt as far as a worker sees it.
type State uint8

// The states in their order. Every attempt that succeeds enters all of them.
const (
	StateAssigned State = iota
	StateImagePulled
	StateContainerCreated
	StateRunning
	StateCollectOutput
	StateUploadFiles
	StateReportResult
)

// StateTime is a state and when the attempt entered it, by this host's clock.
type StateTime struct {
	State State
	Time  time.Time
}

// Status is how an attempt ended.
type Status string

// The statuses.
const (
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// Failure is the class of what went wrong; empty: nothing.
type Failure string

// The classes that a worker gives.
const (
	FailureExit     Failure = "exit"
	FailureOOM      Failure = "oom"
	FailureTimeout  Failure = "timeout"
	FailureImage    Failure = "image"
	FailureRegistry Failure = "registry"
	FailureRuntime  Failure = "runtime"
	FailureStorage  Failure = "storage"
	FailureUpload   Failure = "upload"
)

// File is an output file. Path is relative to the output folder.
type File struct {
	Path   string
	Size   int64 // bytes, apparent
	Mode   uint32
	SHA256 string // hex; empty until the file has been read
}

// Skipped is an output that is not delivered.
type Skipped struct {
	Path   string // escaped where it is not UTF-8
	Reason string
}

// Usage is what an attempt has used so far.
type Usage struct {
	CPUSeconds  float64
	CPU         float64 // cores now
	Memory      float64 // MiB now
	MemoryPeak  float64 // MiB
	LogBytes    int64
	OutputBytes int64
	PulledBytes int64 // that came for its image; 0: it was there
}

// Running is an attempt as heartbeats and registrations list it.
type Running struct {
	Ref          Ref
	ClusterID    string
	State        State
	CPU          float64 // cores
	Memory       int64   // MiB
	Storage      int64   // MiB
	GPU          int
	HasContainer bool
}

// Progress is what a progress report says: all states so far.
type Progress struct {
	Ref        Ref
	States     []StateTime
	DoneBytes  int64
	TotalBytes int64
	ExitCode   int
	Outcome    Status // empty before the container's end
	Message    string
	Usage      Usage
}

// Result is what a completion report says. The log's tail is added on sending.
type Result struct {
	Ref        Ref
	Status     Status
	Failure    Failure
	Message    string
	HasExit    bool // a container ran and its exit code is known
	ExitCode   int
	StartedAt  time.Time // engine's clock
	FinishedAt time.Time
	States     []StateTime
	Files      []File
	Skipped    []Skipped
	Usage      Usage
	Log        executor.Offsets // lengths
	LogLost    bool
	Hopeless   bool // another attempt would end alike
}
