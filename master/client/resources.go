package client

import "time"

// Resources is an amount that a worker or the cluster has.
type Resources struct {
	CPU     float64 `json:"cpu" doc:"Cores."`
	Memory  int64   `json:"memory" doc:"MiB."`
	Storage int64   `json:"storage" doc:"MiB."`
	GPU     int     `json:"gpu" doc:"Devices."`
}

// Running names one attempt on a worker.
type Running struct {
	TaskID  string `json:"task_id"`
	Attempt int    `json:"attempt"`
}

// Worker is one worker.
type Worker struct {
	WorkerID      string            `json:"worker_id"`
	Address       string            `json:"address" doc:"host:port that the master calls."`
	Status        string            `json:"status" enum:"active,unreachable,unhealthy,draining,lost"`
	Message       string            `json:"message,omitempty" doc:"Why it is not active."`
	Version       string            `json:"version,omitempty"`
	Labels        map[string]string `json:"labels"`
	Total         Resources         `json:"total"`
	Allocated     Resources         `json:"allocated" doc:"Promised to attempts."`
	Used          *Resources        `json:"used,omitempty" doc:"Measured on the whole machine, but for storage: that is what of the total is not to be had any more. Absent before the first heartbeat."`
	RunningTasks  []Running         `json:"running_tasks" doc:"Those that the caller may see."`
	RunningCount  int               `json:"running_count" doc:"Everyone's."`
	RegisteredAt  time.Time         `json:"registered_at"`
	LastHeartbeat *time.Time        `json:"last_heartbeat,omitempty" doc:"Absent when there was none since the master's start."`
}

// WorkerRequest asks the master to call a worker and take it in.
type WorkerRequest struct {
	WorkerID string `json:"worker_id" doc:"Who must answer there." minLength:"1" maxLength:"128"`
	Address  string `json:"address" doc:"host:port at which the worker listens." example:"10.0.0.7:50052"`
}

// WorkerMetrics is a worker's use over the last while.
type WorkerMetrics struct {
	WorkerID string         `json:"worker_id"`
	Total    Resources      `json:"total"`
	Samples  []WorkerSample `json:"samples" doc:"Oldest first; one for each heartbeat since the master's start, of the last hour at most."`
}

// WorkerSample is one measurement of a worker.
type WorkerSample struct {
	Time    time.Time `json:"time"`
	CPU     float64   `json:"cpu" doc:"Cores in use."`
	Memory  int64     `json:"memory" doc:"MiB."`
	Storage int64     `json:"storage" doc:"MiB, as storage_usage in the telemetry."`
	GPU     int       `json:"gpu" doc:"Devices."`
}

// Join says how a worker on another machine joins.
type Join struct {
	Token      string `json:"token" doc:"The join token: a secret, and the fingerprint of the master's certificate."`
	MasterAddr string `json:"master_addr" doc:"host:port that workers call."`
	Command    string `json:"command" doc:"What to type on the worker's machine."`
	Note       string `json:"note,omitempty" doc:"What may keep the command from working as it stands."`
}

// Telemetry is a worker's latest measured use.
type Telemetry struct {
	WorkerID     string     `json:"worker_id"`
	IsActive     bool       `json:"is_active" doc:"Its heartbeats arrive."`
	CPUUsage     *float64   `json:"cpu_usage" doc:"Cores; null before the first heartbeat." nullable:"true"`
	MemoryUsage  *int64     `json:"memory_usage" doc:"MiB." nullable:"true"`
	StorageUsage *int64     `json:"storage_usage" doc:"MiB of the worker's total that are not to be had any more: tasks have written them, or its disks have that much less." nullable:"true"`
	GPUUsage     *int       `json:"gpu_usage" doc:"Devices." nullable:"true"`
	RunningTasks []Running  `json:"running_tasks" doc:"Those that the caller may see."`
	LastUpdate   *time.Time `json:"last_update" nullable:"true"`
}

// Cluster counts what the cluster has and does.
type Cluster struct {
	ClusterID   string         `json:"cluster_id"`
	Tasks       map[string]int `json:"tasks" doc:"By status, everyone's."`
	OwnTasks    map[string]int `json:"own_tasks,omitempty" doc:"By status, the caller's own; absent for administrators, who see everyone's."`
	Workers     map[string]int `json:"workers" doc:"By status."`
	Total       Resources      `json:"total" doc:"Of the workers that are not lost."`
	Allocated   Resources      `json:"allocated"`
	QueueLength int            `json:"queue_length"`
	Mismatches  []Mismatch     `json:"mismatches,omitempty" doc:"What the check of the invariants has found, for administrators; at most 100, violations first, the oldest first."`
}

// ClusterMetrics is what all workers together used over the last while.
type ClusterMetrics struct {
	Step    string          `json:"step" doc:"Go style duration that one sample stands for."`
	Samples []ClusterSample `json:"samples" doc:"Oldest first; since the master's start, of the last hour at most."`
}

// ClusterSample is one step: the use is the sum of each worker's mean. What was
// not looked at in the step is absent.
type ClusterSample struct {
	Time    time.Time `json:"time" doc:"When the step began."`
	Workers int       `json:"workers" doc:"Those that were heard in it."`
	CPU     float64   `json:"cpu" doc:"Cores in use."`
	Memory  int64     `json:"memory" doc:"MiB."`
	Storage int64     `json:"storage" doc:"MiB, as storage_usage in the telemetry."`
	GPU     int       `json:"gpu" doc:"Devices."`

	Total     *Resources `json:"total,omitempty" doc:"Of the workers that were not lost, at the end of the step."`
	Allocated *Resources `json:"allocated,omitempty" doc:"What of it was given to tasks, at the end of the step."`
	Queue     *QueueStep `json:"queue,omitempty"`
	Ended     *Ended     `json:"ended,omitempty"`
}

// QueueStep is what waited for a worker in a step.
type QueueStep struct {
	Length  int    `json:"length" doc:"Everyone's tasks, at the end of the step."`
	Longest string `json:"longest" doc:"Go style duration that the longest waiting one had waited, at most in the step." example:"1m30s"`
}

// Ended counts everyone's tasks that ended in a step.
type Ended struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// Mismatch is something that store, memory and workers do not agree about.
type Mismatch struct {
	Invariant string `json:"invariant" doc:"As in /health."`
	Message   string `json:"message"`
	TaskID    string `json:"task_id"`
	Attempt   int    `json:"attempt,omitempty"`
	WorkerID  string `json:"worker_id,omitempty"`
	Violation bool   `json:"violation" doc:"Has been so for longer than the heartbeat timeout."`
	Age       string `json:"age" example:"17s"`
}

// TaskFiles names a task that has left files.
type TaskFiles struct {
	TaskID    string    `json:"task_id"`
	TaskName  string    `json:"task_name"`
	UserID    string    `json:"user_id"`
	Files     int       `json:"files" doc:"How many."`
	TotalSize int64     `json:"total_size" doc:"Bytes."`
	CreatedAt time.Time `json:"created_at" doc:"Of the task."`
}

// Files lists what one task has left in /output.
type Files struct {
	TaskID    string    `json:"task_id"`
	TaskName  string    `json:"task_name"`
	Files     []File    `json:"files"`
	Skipped   []Skipped `json:"skipped" doc:"What was there but not kept."`
	TotalSize int64     `json:"total_size" doc:"Bytes."`
}

// File is one output file.
type File struct {
	Path        string `json:"path" doc:"Relative to /output."`
	Size        int64  `json:"size" doc:"Bytes."`
	SHA256      string `json:"sha256" doc:"Lower-case hexadecimal."`
	ContentType string `json:"content_type"`
}

// Skipped is something in /output that was not kept.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Version says what the master is.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

// Health is the answer of a master that serves.
type Health struct {
	Status     string      `json:"status" example:"ok" doc:"ok; degraded when an invariant is violated; ready from /ready."`
	Invariants *Invariants `json:"invariants,omitempty" doc:"Absent from /ready."`
	Disks      []Disk      `json:"disks,omitempty" doc:"Those of the master."`
}

// Disk is how much the master has left of one.
type Disk struct {
	Holds   string `json:"holds" enum:"state,files" doc:"The master's state and logs, or output files."`
	Free    int64  `json:"free" doc:"Bytes."`
	Total   int64  `json:"total" doc:"Bytes."`
	Reserve int64  `json:"reserve" doc:"Bytes that are left free: uploads and logs are refused or wait before."`
	Low     bool   `json:"low" doc:"No more is taken."`
}

// Invariants is what the master's comparison of store, memory and heartbeats
// has found.
type Invariants struct {
	Violations int              `json:"violations" doc:"Have not agreed for longer than the heartbeat timeout: something is wrong."`
	Pending    int              `json:"pending" doc:"Do not agree at the moment, which is normal while something is under way."`
	CheckedAt  *time.Time       `json:"checked_at" doc:"When memory and heartbeats were last compared." nullable:"true"`
	SweptAt    *time.Time       `json:"swept_at" doc:"When the last complete comparison with the store began." nullable:"true"`
	Kinds      []InvariantCount `json:"kinds" doc:"Those that something was found of."`
}

// InvariantCount is how often one invariant does not hold.
type InvariantCount struct {
	Invariant  string `json:"invariant" example:"running_without_attempt"`
	Message    string `json:"message" doc:"What it means."`
	Violations int    `json:"violations"`
	Pending    int    `json:"pending"`
	Oldest     string `json:"oldest" example:"17s"`
}

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type   string       `json:"type" doc:"about:blank, or a URN that tells cases of one status apart." example:"about:blank"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty" doc:"What happened and what to do, for people."`
	Errors []FieldError `json:"errors,omitempty" doc:"Each bad field."`
}

// FieldError is one thing wrong with one field of a request.
type FieldError struct {
	Location string `json:"location" doc:"As the sender wrote it." example:"inputs[2].path"`
	Message  string `json:"message"`
}

// Frame is one message of a WebSocket.
type Frame[T any] struct {
	Seq  int64  `json:"seq" doc:"From 1 without holes within one connection."`
	Type string `json:"type" enum:"snapshot,delta,resync"`
	Data T      `json:"data"`
}

// WatchedTasks is what a frame of /ws/tasks has: in a snapshot and a resync the
// newest tasks, newest first; in a delta those that are new or have changed, and
// the ids of those whose record is gone for good, such as pruned ones.
type WatchedTasks struct {
	Items   []Task   `json:"items"`
	Removed []string `json:"removed,omitempty"`
}

// LogBegin is the first frame of /ws/tasks/{id}/logs; each further one has a
// LogRecord.
type LogBegin struct {
	Attempt int   `json:"attempt" doc:"Whose log this is."`
	Offset  int64 `json:"offset" doc:"Where it begins."`
}
