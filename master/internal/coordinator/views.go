package coordinator

import (
	"time"

	"cloudai/master/internal/cluster"
)

// TaskView is a copy of a task together with what only the live master knows.
type TaskView struct {
	cluster.Task
	Waiting  *Waiting  // nil unless the task waits for a worker
	Progress *Progress // nil unless bytes are being pulled or uploaded
	// CPU and Memory are the running container's present use (cores, MiB);
	// nil when unknown.
	CPU    *float64
	Memory *float64
}

// Waiting says why a task is not placed.
type Waiting struct {
	Reason        string         // one sentence; begins with "unschedulable" when no worker could ever take it
	QueuePosition int            // from 1
	Workers       []WorkerReason // at most 20, by id; a plain user sees the ids too, but nothing of others' tasks
	Suggestion    string         // what would make it run; empty when waiting is enough
}

// WorkerReason is why one worker does not take a task now.
type WorkerReason struct {
	WorkerID cluster.WorkerID
	Reason   string
}

// Progress counts bytes of a pull or an upload; TotalBytes is 0 when unknown.
type Progress struct {
	DoneBytes  int64
	TotalBytes int64
}

// WorkerView is a copy of a worker together with what only the live master
// knows.
type WorkerView struct {
	cluster.Worker
	Status        cluster.WorkerStatus
	Message       string // why it is not active, in words
	Allocated     cluster.Resources
	Used          *cluster.Sample // nil before the first heartbeat
	Running       []RunningView   // those the caller may see, by task id
	RunningCount  int             // of everyone
	LastHeartbeat time.Time       // zero: not since the master's start
}

// RunningView is one attempt on a worker.
type RunningView struct {
	TaskID  cluster.TaskID
	Attempt int
}

// ClusterView counts what the cluster has and does.
type ClusterView struct {
	ClusterID string
	Tasks     map[cluster.Status]int // of everyone
	OwnTasks  map[cluster.Status]int // the principal's; nil for administrators, who see everyone's
	Workers   map[cluster.WorkerStatus]int
	Total     cluster.Resources // of workers that are not lost
	Allocated cluster.Resources
	QueueLen  int
	// Mismatches is what the check of the invariants has found, for
	// administrators; at most 100.
	Mismatches []Mismatch
}

// Caller is the worker behind a call. The edge fills in what the connection
// proves; the core checks it against the registered session.
type Caller struct {
	WorkerID    cluster.WorkerID
	Session     string
	Fingerprint string // of the client's certificate; empty without TLS
}

// Registration is a worker's RegisterWorker, whose secret the edge has checked.
type Registration struct {
	Caller
	Address   string // host:port to call back
	Version   string
	Labels    map[string]string
	Total     cluster.Resources
	Running   []cluster.RunningAttempt
	Returning bool
}

// RegisterReply answers a registration.
type RegisterReply struct {
	HeartbeatInterval time.Duration
	Keep              []cluster.AttemptRef
	Stop              []cluster.AttemptRef
}

// Heartbeat is a worker's sign of life.
type Heartbeat struct {
	Caller
	Number       uint64
	Use          cluster.Sample // Time is set by the core
	Running      []cluster.RunningAttempt
	Absent       []cluster.AttemptRef
	Healthy      bool
	Message      string
	Leaving      bool
	RestartGrace time.Duration
}

// HeartbeatReply answers a heartbeat.
type HeartbeatReply struct {
	Stop   []cluster.AttemptRef
	Expect []cluster.AttemptRef
	Cancel []cluster.AttemptRef
}

// ProgressReport is what an attempt has come to so far.
type ProgressReport struct {
	Caller
	Ref         cluster.AttemptRef
	Observation cluster.Observation
	Progress    Progress
	CPU, Memory float64 // present use: cores, MiB
	Message     string
}

// Completion is the end of an attempt.
type Completion struct {
	Caller
	Ref         cluster.AttemptRef
	Observation cluster.Observation // all states; Failure and Message say why it failed
	Outcome     cluster.Outcome
	FinishedAt  time.Time // of the container by the engine; zero: none ran
	Log         LogEnd
	Manifest    Manifest
	Hopeless    bool // another attempt would end alike
}

// Event tells a subscriber that something changed. Exactly one of the three is
// set.
type Event struct {
	Task    *TaskChange
	Worker  *cluster.WorkerID
	Removed *RemovedTask
}

// RemovedTask is a task whose record is gone. It is the last event about it.
type RemovedTask struct {
	ID     cluster.TaskID
	UserID cluster.UserID
}

// TaskChange is a task after a committed change.
type TaskChange struct {
	Task  cluster.Task
	Fresh int // how many of its last events are new
}
