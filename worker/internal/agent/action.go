package agent

import (
	"time"

	"cloudai/worker/internal/executor"
)

// Action is something the machine wants done. Each comment names the input
// that brings the outcome back.
type Action interface{ action() }

// Work is an action of one attempt that the attempt's next step waits for. An
// attempt has at most one at a time, and only these are interrupted.
type Work interface {
	Action
	Attempt() Ref
}

// side and work save each action its methods.
type (
	side struct{ Ref Ref }
	work struct{ Ref Ref }
)

func (side) action() {}
func (work) action() {}

// Attempt names the attempt that the work belongs to.
func (w work) Attempt() Ref { return w.Ref }

type (
	// Pull makes the image present; one try. -> Pulling, Pulled
	Pull struct {
		work
		Image string
	}
	// Create makes the output folder and the container. -> Created
	Create struct {
		work
		Spec executor.Spec
	}
	// RunContainer sees the container to its end. -> Started, Exited
	RunContainer struct {
		work
		ID string
	}
	// LookAt finds out whether a container has been started. -> LookedAt
	LookAt struct {
		work
		ID string
		// Forgotten: the engine may have forgotten that it was. What is in its log
		// is taken.
		Forgotten bool
	}
	// Collect lists the files in the output folder. -> Collected
	Collect struct {
		work
		Dir   string
		Limit int64 // bytes; files beyond it are skipped; 0: none
	}
	// Upload sends what the master has not got of the files. -> Uploading, Uploaded
	Upload struct {
		work
		UserID string
		Dir    string
		Files  []File
	}
	// ReportCompletion sends the result, with the log's tail. -> Reported
	ReportCompletion struct {
		work
		Result Result
	}
	// PushLog sends the log from the offsets on. -> LogPushed
	PushLog struct {
		work
		UserID string
		From   executor.Offsets
	}
	// Remove stops the container, if there is one, and removes it with the
	// output folder. -> Removed
	Remove struct {
		work
		ID    string
		Grace time.Duration // 0: it has ended, or need not be asked
	}
)

type (
	// Interrupt cancels the attempt's work, whose outcome follows all the same.
	Interrupt struct{ side }
	// StopContainer sends TERM, and KILL after the grace. -> Stopped
	StopContainer struct {
		side
		ID    string
		Grace time.Duration
	}
	// ReportProgress sends the states so far. -> ProgressAnswered
	ReportProgress struct {
		side
		Progress Progress
	}
	// Sample measures a running container and its output folder. -> Sampled
	Sample struct {
		side
		ID  string
		Dir string
	}
	// EndLog says that nothing follows in the attempt's log.
	EndLog struct{ side }
	// Forget drops what is kept in memory for the attempt, its log among it.
	Forget struct{ side }
	// RemoveOrphan removes a container that no attempt owns, and its output
	// folder. -> OrphanRemoved
	RemoveOrphan struct {
		side
		ID    string
		Grace time.Duration // 0: it does not run
	}
)

type (
	// Register asks the master to take this worker. -> Registered
	Register struct{ Running []Running }
	// SendHeartbeat proves life. -> HeartbeatAnswered
	SendHeartbeat struct{ Heartbeat Heartbeat }
	// ListContainers finds this worker's containers by label. -> Listed
	ListContainers struct{}
	// Probe asks the engine for a sign of life. -> Probed
	Probe struct{}
	// NoteEngine keeps for later processes when the engine was away.
	NoteEngine struct {
		N         uint64    // grows: of two that are on their way at once the later one holds
		DownSince time.Time // zero: it is there
		Absences  []Absence
	}
	// RemoveFolders removes what is left of attempts whose containers are gone.
	RemoveFolders struct{ Refs []Ref }
)

func (Register) action()       {}
func (SendHeartbeat) action()  {}
func (ListContainers) action() {}
func (Probe) action()          {}
func (NoteEngine) action()     {}
func (RemoveFolders) action()  {}

// Heartbeat is one heartbeat but for the host's usage, which is added on
// sending.
type Heartbeat struct {
	Number  uint64
	Running []Running
	Absent  []Ref
	Healthy bool
	Message string
	Leaving bool
	Stored  int64 // bytes that the attempts have written to their output
}

// Code is what the master's answer to a call means for the caller.
type Code uint8

// The codes.
const (
	ReplyOK             Code = iota
	ReplyRetry               // outcome unknown, or not now: keep everything and ask again
	ReplyGone                // stale_attempt or unknown_task: stop, remove, forget
	ReplyQuota               // no more of this is taken
	ReplyUnknownSession      // register again
	ReplyDenied              // not authenticated
	ReplyClone               // this worker's id is live elsewhere
	ReplyRefused             // registration refused: versions differ, or removed by an administrator
)

// Reply is the master's answer.
type Reply struct {
	Code    Code
	Message string
}
