package client

import "time"

// TaskRequest is a task to submit. Only DockerImage is required; nil and empty
// fields take the master's defaults.
type TaskRequest struct {
	DockerImage     string            `json:"docker_image" doc:"Image reference, as docker run takes it." example:"alpine:3.20" minLength:"1" maxLength:"512"`
	Command         string            `json:"command,omitempty" doc:"Run by /bin/sh -c in place of the image's entrypoint. Either this or args." maxLength:"131071"`
	Args            []string          `json:"args,omitempty" doc:"Arguments after the image's entrypoint, as in docker run. Either these or command." example:"[\"echo\", \"hi\"]"`
	Name            string            `json:"name,omitempty" doc:"For people; need not be unique." maxLength:"256"`
	CPURequired     *float64          `json:"cpu_required,omitempty" doc:"Cores." default:"1" minimum:"0.01" maximum:"1000000"`
	MemoryRequired  *int64            `json:"memory_required,omitempty" doc:"MiB; swap is the same." default:"512" minimum:"6" maximum:"1099511627776"`
	StorageRequired *int64            `json:"storage_required,omitempty" doc:"MiB that the task may write." default:"1024" minimum:"0" maximum:"1099511627776"`
	GPURequired     *int              `json:"gpu_required,omitempty" doc:"Devices." default:"0" minimum:"0" maximum:"4096"`
	Env             map[string]string `json:"env,omitempty" doc:"Environment variables."`
	Workdir         string            `json:"workdir,omitempty" doc:"Absolute path; default the image's." maxLength:"4096"`
	Timeout         string            `json:"timeout,omitempty" doc:"Go style duration from the container's start; default none." example:"90s"`
	GracePeriod     string            `json:"grace_period,omitempty" doc:"Between TERM and KILL when the task is stopped; default 10s." example:"10s"`
	Priority        *int              `json:"priority,omitempty" doc:"Higher first." default:"50" minimum:"0" maximum:"100"`
	MaxRetries      *int              `json:"max_retries,omitempty" doc:"Further attempts after exit, oom or timeout." default:"0" minimum:"0" maximum:"1000"`
	MaxReschedules  *int              `json:"max_reschedules,omitempty" doc:"Further attempts after what was done to the task, such as the loss of its worker." default:"3" minimum:"0" maximum:"1000"`
	Labels          map[string]string `json:"labels,omitempty" doc:"For filters."`
	Constraints     map[string]string `json:"constraints,omitempty" doc:"Labels that the worker must have."`
	TargetWorkerID  string            `json:"target_worker_id,omitempty" doc:"Only this worker." maxLength:"256"`
	Network         string            `json:"network,omitempty" doc:"The container's network." enum:"bridge,none" default:"bridge"`
	ShmSize         *int64            `json:"shm_size,omitempty" doc:"MiB of /dev/shm; 0: the engine's default." minimum:"0" maximum:"1099511627776"`
	Inputs          []Input           `json:"inputs,omitempty" doc:"Small files, 1 MiB together."`
}

// Input is a small file put into the container before it starts.
type Input struct {
	Path     string `json:"path" doc:"Absolute, or relative to the working directory." minLength:"1" maxLength:"4096"`
	Content  string `json:"content,omitempty" doc:"The file's text, or its bytes as the encoding says."`
	Encoding string `json:"encoding,omitempty" doc:"How content is written." enum:"utf-8,base64" default:"utf-8"`
}

// InputSummary is an input file as replies name it.
type InputSummary struct {
	Path string `json:"path"`
	Size int    `json:"size" doc:"Bytes."`
}

// Task is a task with all that is known of it; what is not known is absent.
type Task struct {
	TaskID          string            `json:"task_id"`
	Name            string            `json:"name"`
	UserID          string            `json:"user_id"`
	DockerImage     string            `json:"docker_image"`
	Command         string            `json:"command,omitempty"`
	Args            []string          `json:"args,omitempty"`
	Status          string            `json:"status" enum:"queued,assigned,running,succeeded,failed,cancelled"`
	State           string            `json:"state" enum:"created,queued,assigned,image_pulled,container_created,running,collect_output,upload_files,report_result,stored"`
	Attempt         int               `json:"attempt" doc:"From 1; grows by one when the task goes back to the queue." minimum:"1"`
	WorkerID        string            `json:"worker_id,omitempty" doc:"Of the placed, else of the last placed attempt."`
	ExitCode        *int              `json:"exit_code,omitempty" doc:"Absent when no container ran to its end."`
	Failure         string            `json:"failure,omitempty" enum:"exit,oom,timeout,image,registry,runtime,worker_lost,storage,upload"`
	Message         string            `json:"message,omitempty" doc:"The reason in words."`
	CancelRequested bool              `json:"cancel_requested"`
	Waiting         *Waiting          `json:"waiting,omitempty" doc:"Why the task is not placed."`
	QueuePosition   *int              `json:"queue_position,omitempty" doc:"From 1."`
	Progress        *Progress         `json:"progress,omitempty" doc:"While an image is pulled or files are uploaded."`
	CPURequired     float64           `json:"cpu_required" doc:"Cores."`
	MemoryRequired  int64             `json:"memory_required" doc:"MiB."`
	StorageRequired int64             `json:"storage_required" doc:"MiB."`
	GPURequired     int               `json:"gpu_required" doc:"Devices."`
	CPUUsage        *float64          `json:"cpu_usage,omitempty" doc:"Cores in use by the running container."`
	MemoryUsage     *float64          `json:"memory_usage,omitempty" doc:"MiB in use by the running container."`
	Env             map[string]string `json:"env"`
	Workdir         string            `json:"workdir,omitempty"`
	Priority        int               `json:"priority"`
	Labels          map[string]string `json:"labels"`
	Constraints     map[string]string `json:"constraints"`
	TargetWorkerID  string            `json:"target_worker_id,omitempty"`
	Network         string            `json:"network"`
	ShmSize         int64             `json:"shm_size,omitempty" doc:"MiB."`
	Inputs          []InputSummary    `json:"inputs,omitempty"`
	Timeout         string            `json:"timeout,omitempty"`
	GracePeriod     string            `json:"grace_period"`
	MaxRetries      int               `json:"max_retries"`
	MaxReschedules  int               `json:"max_reschedules"`
	CreatedAt       time.Time         `json:"created_at"`
	StartedAt       *time.Time        `json:"started_at,omitempty" doc:"Of the present attempt's container."`
	FinishedAt      *time.Time        `json:"finished_at,omitempty"`
	Attempts        []Attempt         `json:"attempts" doc:"The placed ones."`
	Usage           *Usage            `json:"usage,omitempty"`
	RetryOf         string            `json:"retry_of,omitempty"`
	LogsDeleted     bool              `json:"logs_deleted,omitempty" doc:"Its logs are kept no longer; reading them is 410."`
	FilesDeleted    bool              `json:"files_deleted,omitempty" doc:"Its output files are kept no longer."`
	Version         int64             `json:"version" doc:"Grows with each change."`
}

// Terminal reports whether the task has its verdict.
func (t Task) Terminal() bool {
	return t.Status == "succeeded" || t.Status == "failed" || t.Status == "cancelled"
}

// Attempt is one placement of a task.
type Attempt struct {
	Attempt     int        `json:"attempt"`
	WorkerID    string     `json:"worker_id"`
	State       string     `json:"state" doc:"The last one that it entered."`
	Outcome     string     `json:"outcome,omitempty" enum:"success,failed,cancelled"`
	ExitCode    *int       `json:"exit_code,omitempty"`
	Failure     string     `json:"failure,omitempty"`
	Message     string     `json:"message,omitempty"`
	AssignedAt  time.Time  `json:"assigned_at"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`
	PulledBytes int64      `json:"pulled_bytes,omitempty" doc:"Bytes that came for its image; absent when the worker had it, or nobody knows."`
}

// Waiting says why a task is not placed.
type Waiting struct {
	Reason        string         `json:"reason" doc:"Begins with unschedulable when no worker could ever take the task."`
	QueuePosition int            `json:"queue_position,omitempty" doc:"From 1; absent while the task is being placed."`
	Workers       []WorkerReason `json:"workers" doc:"At most 20."`
	Suggestion    string         `json:"suggestion,omitempty" doc:"What would make it run."`
}

// WorkerReason is why one worker does not take a task now.
type WorkerReason struct {
	WorkerID string `json:"worker_id"`
	Reason   string `json:"reason"`
}

// Progress counts bytes of a pull or an upload.
type Progress struct {
	DoneBytes  int64 `json:"done_bytes"`
	TotalBytes int64 `json:"total_bytes,omitempty" doc:"Absent when unknown."`
}

// Usage is what the present or last attempt has used.
type Usage struct {
	CPUSeconds  float64 `json:"cpu_seconds,omitempty" doc:"Absent when the container was never measured."`
	MemoryPeak  float64 `json:"memory_peak,omitempty" doc:"MiB; absent when the container was never measured."`
	LogBytes    int64   `json:"log_bytes"`
	OutputBytes int64   `json:"output_bytes"`
}

// Event is one entry of a task's timeline.
type Event struct {
	Seq        int        `json:"seq" doc:"From 1 within the task."`
	Time       time.Time  `json:"time" doc:"When the master learnt of it."`
	WorkerTime *time.Time `json:"worker_time,omitempty" doc:"When the worker says that it was, in the master's time; absent when the master did it."`
	Attempt    int        `json:"attempt"`
	State      string     `json:"state"`
	WorkerID   string     `json:"worker_id,omitempty"`
	Cause      string     `json:"cause"`
	Outcome    string     `json:"outcome,omitempty" enum:"success,failed,cancelled"`
	ExitCode   *int       `json:"exit_code,omitempty"`
	Failure    string     `json:"failure,omitempty"`
	Message    string     `json:"message,omitempty"`
}

// List is one page. NextCursor asks for the next one; it is absent at the end.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Pass it as cursor for the next page; absent at the end."`
}

// LogRecord is one line of a log as application/x-ndjson carries it.
type LogRecord struct {
	Offset  int64     `json:"offset" doc:"Of the record's first byte in the attempt's log."`
	Next    int64     `json:"next" doc:"Of the byte after the record: resume here."`
	Time    time.Time `json:"time"`
	Stream  string    `json:"stream" enum:"stdout,stderr,marker"`
	Text    string    `json:"text" doc:"Without its line end."`
	Base64  string    `json:"base64,omitempty" doc:"In place of text when the bytes are not UTF-8."`
	Partial bool      `json:"partial,omitempty" doc:"No line end followed: the line goes on in the next record of this stream, or the log ends here."`
}

// TaskChange changes a task that waits; nil leaves a field as it is.
type TaskChange struct {
	Name     *string `json:"name,omitempty" maxLength:"256"`
	Priority *int    `json:"priority,omitempty" minimum:"0" maximum:"100"`
	Timeout  *string `json:"timeout,omitempty" doc:"Go style duration; empty: none." example:"90s"`
}

// TaskMetrics is what the container of one attempt used over its time.
type TaskMetrics struct {
	TaskID      string       `json:"task_id"`
	Attempt     int          `json:"attempt"`
	CPULimit    float64      `json:"cpu_limit" doc:"Cores."`
	MemoryLimit int64        `json:"memory_limit" doc:"MiB."`
	Samples     []TaskSample `json:"samples" doc:"Oldest first; the longer the task runs the wider apart."`
}

// TaskSample is one measurement of a container.
type TaskSample struct {
	Time   time.Time `json:"time"`
	CPU    float64   `json:"cpu" doc:"Cores."`
	Memory float64   `json:"memory" doc:"MiB."`
}
