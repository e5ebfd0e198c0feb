package simulation

import (
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
)

// The agent's own words, for a module that cannot name its packages.
type (
	Ref         = agent.Ref
	State       = agent.State
	StateTime   = agent.StateTime
	Status      = agent.Status
	Running     = agent.Running
	Result      = agent.Result
	File        = agent.File
	Reply       = agent.Reply
	Code        = agent.Code
	Joined      = agent.Joined
	Beat        = agent.Beat
	ReportReply = agent.ReportReply
	UploadReply = agent.UploadReply
	Offsets     = executor.Offsets
	Key         = executor.Key
	Spec        = executor.Spec
)

// What a process asks of its master: the messages of its calls.
type (
	Register       = agent.Register         // answered by a Joined
	SendHeartbeat  = agent.SendHeartbeat    // by a Beat
	ReportProgress = agent.ReportProgress   // by a Reply
	Complete       = agent.ReportCompletion // by a ReportReply
	Upload         = agent.Upload           // by an UploadReply
)

// PushLog sends the log from From up to To, less what is lost for ever before
// From reaches Kept. It is answered by a Reply.
type PushLog struct {
	Ref    Ref
	UserID string
	From   Offsets
	Kept   Offsets
	To     Offsets
}

// The codes of replies.
const (
	ReplyOK             = agent.ReplyOK
	ReplyRetry          = agent.ReplyRetry
	ReplyGone           = agent.ReplyGone
	ReplyQuota          = agent.ReplyQuota
	ReplyUnknownSession = agent.ReplyUnknownSession
	ReplyDenied         = agent.ReplyDenied
	ReplyClone          = agent.ReplyClone
	ReplyRefused        = agent.ReplyRefused
)

// The statuses of results.
const (
	StatusSucceeded = agent.StatusSucceeded
	StatusFailed    = agent.StatusFailed
	StatusCancelled = agent.StatusCancelled
)

// Why the worker's end refuses the master's calls.
var (
	ErrInvalid = agent.ErrInvalid
	ErrRefused = agent.ErrRefused
	ErrUnknown = agent.ErrUnknown
)

// Call is something that a process asks of the master.
type Call struct {
	ID      uint64 // of the node's, never twice the same
	Session string // of the process
	Message any
	// TailFrom is, with Complete, where the end of the log begins that comes
	// with the result.
	TailFrom Offsets
}

// Fact is the truth about one attempt's container, whatever is said of it.
type Fact struct {
	Starts   int // how often it was started
	Ended    bool
	ExitCode int
	OOM      bool
	Killed   bool // by the engine as it stopped
	Stopped  bool // ended by an order
	Leaving  bool // its worker was told to end with its tasks
	Vanished bool // somebody has removed it
	Ran      int64
	Log      Offsets // bytes written so far
	Files    []File  // left in the output folder
}

// Watch is told at once of what happens to containers.
type Watch interface {
	// Started: the engine has started the container.
	Started(node string, ref Ref)
	// Stopping: the worker ends a container that runs.
	Stopping(node string, ref Ref)
	// Removing: the worker removes a container that was started.
	Removing(node string, ref Ref)
}
