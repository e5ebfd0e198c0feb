package cluster

import "time"

// TaskID, UserID and WorkerID keep the three kinds of name apart.
type (
	TaskID   string
	UserID   string
	WorkerID string
)

// AttemptRef names one attempt without doubt; the lease is random and made at
// the assignment.
type AttemptRef struct {
	TaskID  TaskID
	Attempt int
	Lease   string
}

// Spec is what was asked for, complete with defaults; it is never edited after
// the task has left the queue.
type Spec struct {
	Image          string
	Command        string
	Args           []string
	Name           string
	Resources      Resources
	Env            map[string]string
	Workdir        string
	Timeout        time.Duration // from the container's start; 0: none
	GracePeriod    time.Duration // between TERM and KILL
	Priority       int           // 0..100, higher first
	MaxRetries     int           // for exit, oom, timeout
	MaxReschedules int           // for what was done to the task
	Labels         map[string]string
	Constraints    map[string]string // label of a worker: value
	TargetWorker   WorkerID          // empty: any
	Network        string            // bridge or none
	ShmSize        int64             // MiB; 0: the engine's default
	Inputs         []InputFile
}

// InputFile is a small file put into the container before it starts.
type InputFile struct {
	Path    string
	Content []byte
}

// Task is one task with all that is known of it. Its slices and maps are
// shared between copies and never written in place.
type Task struct {
	ID      TaskID
	UserID  UserID
	Spec    Spec
	RetryOf TaskID
	Version int64 // 1 at the first write, grows by one with each

	State           State
	Attempt         int      // from 1
	WorkerID        WorkerID // of the placed attempt, when stored of the last one; empty while it waits
	Lease           string   // of the placed attempt; empty while it waits
	CancelRequested bool
	CancelledBy     UserID
	Retries         int       // used of MaxRetries
	Reschedules     int       // used of MaxReschedules
	NotBefore       time.Time // a retry's backoff; zero: at once

	Outcome  Outcome // of the task; empty until stored
	ExitCode *int    // nil when no container ran to its end
	Failure  Failure
	Message  string // the reason in words

	CreatedAt  time.Time
	QueuedAt   time.Time // of the present attempt
	StartedAt  time.Time // of the present attempt's container; zero: not yet
	FinishedAt time.Time // zero: not yet

	Attempts []Attempt
	Events   []Event
	Usage    Usage
	Files    FilesSummary
	// LogsDeleted says that the logs of all its attempts are gone, by the rules
	// of what is kept.
	LogsDeleted bool
}

// Status derives the coarse state.
func (t Task) Status() Status { return StatusOf(t.State, t.Outcome) }

// Terminal reports whether the verdict has fallen.
func (t Task) Terminal() bool { return t.State.Terminal() }

// Ref names the placed attempt.
func (t Task) Ref() AttemptRef { return AttemptRef{TaskID: t.ID, Attempt: t.Attempt, Lease: t.Lease} }

// Current is the placed attempt, or nil while the task waits. It must not be
// written to.
func (t Task) Current() *Attempt {
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].Number == t.Attempt {
		return &t.Attempts[n-1]
	}
	return nil
}

// Attempt is one placement of a task.
type Attempt struct {
	Number     int
	WorkerID   WorkerID
	Lease      string
	State      State // the last one it entered
	Reported   bool  // its end came from its worker, not from the master
	Outcome    Outcome
	ExitCode   *int
	Failure    Failure
	Message    string
	AssignedAt time.Time
	StartedAt  time.Time
	FinishedAt time.Time
	// PulledBytes is how many bytes came for its image; 0: none, or unknown.
	PulledBytes int64
}

// Ref names the attempt of the given task.
func (a Attempt) Ref(task TaskID) AttemptRef {
	return AttemptRef{TaskID: task, Attempt: a.Number, Lease: a.Lease}
}

// Event is one entry of a task's timeline.
type Event struct {
	Seq        int       // from 1 within the task
	Time       time.Time // the master's, when it learnt of it
	WorkerTime time.Time // when the worker says it was; zero when the master did it
	Attempt    int
	State      State
	WorkerID   WorkerID
	Cause      string // submit, dispatch, progress, cancel_requested, result, worker_lost, ...
	Outcome    Outcome
	ExitCode   *int
	Failure    Failure
	Message    string
}

// Usage is what an attempt has used.
type Usage struct {
	CPUSeconds  float64
	MemoryPeak  float64 // MiB
	LogBytes    int64
	OutputBytes int64
}

// FilesSummary refers to the published output files; the rows themselves are
// kept apart and count only while Attempt names theirs.
type FilesSummary struct {
	Attempt   int // whose files were published; 0: none
	Count     int
	TotalSize int64 // bytes
	Deleted   bool
	Skipped   []SkippedFile
}

// File is one published output file.
type File struct {
	Path        string // relative to /output, slash separated
	Size        int64  // bytes
	SHA256      string // lower-case hex
	ContentType string
}

// SkippedFile is something in /output that was not kept, and why.
type SkippedFile struct {
	Path   string
	Reason string
}

// StateTime is a state and when the worker entered it, by its own clock.
type StateTime struct {
	State State
	Time  time.Time
}

// Size is about how much memory a spec takes, in bytes.
func (s Spec) Size() int {
	const fixed, each = 512, 32 // without strings; per string
	n := fixed + len(s.Image) + len(s.Command) + len(s.Name) + len(s.Workdir)
	for _, arg := range s.Args {
		n += each + len(arg)
	}
	for _, pairs := range []map[string]string{s.Env, s.Labels, s.Constraints} {
		for name, value := range pairs {
			n += 2*each + len(name) + len(value)
		}
	}
	for _, f := range s.Inputs {
		n += 2*each + len(f.Path) + len(f.Content)
	}
	return n
}
