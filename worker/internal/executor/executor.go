// Package executor is the contract between the agent and whatever runs
// containers. It owns no attempt: the agent decides, an Executor carries out.
// The containers themselves, with labels, stored log, exit code and the bound
// output folder, are the only record a worker keeps, so every method can be
// called again by a new process that finds them.
//
// executor/docker talks to a Docker engine, executor/fake keeps containers as
// files; both pass executor/executortest.
package executor

import (
	"context"
	"errors"
	"time"
)

// Errors that the agent tells apart; wrapped with details for people.
var (
	// ErrNotFound: no such container.
	ErrNotFound = errors.New("container not found")
	// ErrImage: a reachable registry does not have the image, or the name is
	// not a valid reference. Final.
	ErrImage = errors.New("image not available")
	// ErrRegistry: the registry refused, limited or could not be reached.
	// Worth another try.
	ErrRegistry = errors.New("registry not available")
	// ErrEngine: the engine does not answer. The container's fate is unknown.
	ErrEngine = errors.New("engine not available")
	// ErrNotTold comes with ErrEngine when the engine has certainly not been told
	// to start the container.
	ErrNotTold = errors.New("the engine was not told to start the container")
	// ErrSpec: a container can never run as it was asked for, wherever it is
	// tried; wrapped with advice. Final.
	ErrSpec = errors.New("cannot run as asked")
	// ErrConflict: the deterministic name is taken by a container with other
	// labels.
	ErrConflict = errors.New("name taken by a foreign container")
)

// Label keys on every container, see the contract's section on the wire.
const (
	LabelCluster = "cloudai.cluster_id"
	LabelWorker  = "cloudai.worker_id"
	LabelTask    = "cloudai.task_id"
	LabelAttempt = "cloudai.attempt"
	LabelLease   = "cloudai.lease"
	LabelSpec    = "cloudai.spec"
)

// OutputPath is where a container finds its output folder.
const OutputPath = "/output"

// Key names an attempt's container; all four must match before a found
// container is taken for it.
type Key struct {
	ClusterID string
	TaskID    string
	Attempt   int
	Lease     string
}

// Spec is all that creating a container needs and all that a later process
// must know about it; it travels in the label cloudai.spec as JSON.
type Spec struct {
	Key       Key               `json:"-"`
	WorkerID  string            `json:"-"`
	Image     string            `json:"image"`
	Command   string            `json:"-"` // replaces the entrypoint by /bin/sh -c
	Args      []string          `json:"-"` // follow the image's entrypoint
	Env       map[string]string `json:"-"`
	Workdir   string            `json:"-"`
	UserID    string            `json:"user_id"`
	CPU       float64           `json:"cpu"`        // cores
	Memory    int64             `json:"memory"`     // MiB; swap is the same
	Storage   int64             `json:"storage"`    // MiB, enforced by the agent
	GPU       int               `json:"gpu"`        // devices
	ShmSize   int64             `json:"-"`          // MiB, 0: the engine's default
	Network   string            `json:"network"`    // bridge or none
	Timeout   time.Duration     `json:"timeout"`    // from the start, 0: none
	Grace     time.Duration     `json:"grace"`      // between TERM and KILL
	LogLimit  int64             `json:"log_limit"`  // bytes
	OutputDir string            `json:"output_dir"` // host folder bound to OutputPath, made by the agent, mode 1777
	Inputs    []Input           `json:"-"`          // put into the container before its start
}

// Input is a small file placed into the container. Path is absolute, or
// relative to the working directory.
type Input struct {
	Path    string
	Content []byte
}

// Phase is a container's state as the engine tells it.
type Phase string

// The phases.
const (
	PhaseCreated Phase = "created"
	PhaseRunning Phase = "running"
	PhaseExited  Phase = "exited"
)

// Container is what the engine knows of one of our containers.
type Container struct {
	ID         string
	Spec       Spec // Key, WorkerID and the fields that the label carries
	Phase      Phase
	StartedAt  time.Time // engine's clock; zero before the start
	FinishedAt time.Time // engine's clock; zero before the end, or when the engine does not know
	ExitCode   int       // meaningful when exited
	OOMKilled  bool      // the kernel killed a process of it; the exit code may be 0 all the same
	Error      string    // the engine's own words when a start failed
	HalfMade   bool      // created, perhaps without its inputs, by a process that has gone: no Run starts it
}

// EndUnknown reports whether the container has run and ended without the engine
// seeing how: its exit code says nothing then.
func (c *Container) EndUnknown() bool {
	return c.Phase == PhaseExited && !c.StartedAt.IsZero() && c.FinishedAt.IsZero()
}

// Stream tells the two output streams apart.
type Stream uint8

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// Offsets count bytes per stream from the container's start.
type Offsets struct {
	Stdout int64
	Stderr int64
}

// LogChunk is a piece of one stream. Data is at most 64 KiB, is the
// receiver's to keep, and ends at a line's end wherever possible: an
// unfinished line is sent after 100 ms or at the end.
type LogChunk struct {
	Stream Stream
	Offset int64 // of Data within its stream
	Time   time.Time
	Data   []byte
}

// LogSink takes chunks in order, per stream without hole or repeat. It must
// return quickly; an error ends the reading.
type LogSink func(LogChunk) error

// PullProgress of an image, summed over its layers.
type PullProgress struct {
	DoneBytes  int64
	TotalBytes int64
}

// Usage is one sample of a running container.
type Usage struct {
	CPUSeconds float64 // consumed since the start
	Memory     float64 // MiB now
	MemoryPeak float64 // MiB; 0 where unknown
	Pids       int64
}

// Info is what the engine has to give.
type Info struct {
	Version string
	CPU     float64 // cores
	Memory  int64   // MiB
	GPU     int
	// Root is the folder with the engine's images and containers; empty when it
	// is not on this host.
	Root string
	// LiveRestore says that containers outlive the engine's daemon.
	LiveRestore bool
	// Instance differs after each start of the engine, as far as that shows;
	// empty: it does not.
	Instance string
}

// Executor runs containers. Methods are safe for concurrent use. A cancelled
// context ends the call soon with ctx.Err() and leaves containers as they
// are. Errors wrap the sentinels above; all others mean that the operation
// failed for this container (failure class runtime) with words for people.
type Executor interface {
	// Info asks the engine; ErrEngine when it does not answer.
	Info(ctx context.Context) (Info, error)

	// Ping is a cheap Info; the agent calls it every second.
	Ping(ctx context.Context) error

	// EnsureImage makes the image present. Concurrent calls for one image
	// share one pull and each gets its progress (which may be nil and must
	// not block); cancelling one leaves the others; no deadline while bytes
	// move. One that the engine has is not pulled. Makes a single try:
	// ErrImage is final, ErrRegistry is for the agent to repeat.
	EnsureImage(ctx context.Context, image string, progress func(PullProgress)) error

	// Create makes the container under its deterministic name, with the
	// defaults of the contract. When it exists already with the same Key it
	// is returned as it is (created, running or exited); ErrConflict for any
	// other that holds the name.
	Create(ctx context.Context, spec Spec) (Container, error)

	// Run sees a container through to its end: it starts it when it is in
	// PhaseCreated (started is called once the engine says so, with the
	// engine's time; also for one found running or exited), sends its log
	// from the offsets on to sink, complete, and returns the container in
	// PhaseExited. For one found running or exited the log is read from what
	// the engine stored. On ErrEngine or a cancelled context the container
	// goes on; call Run again with the offsets reached. A start that the
	// engine refuses is an ErrSpec, or an error that wraps none of the sentinels.
	Run(ctx context.Context, id string, from Offsets, started func(time.Time), sink LogSink) (Container, error)

	// Logs sends what the engine stored from the offsets on, to the present
	// end, and returns the offsets reached. It does not follow.
	Logs(ctx context.Context, id string, from Offsets, sink LogSink) (Offsets, error)

	// Stop sends TERM, and KILL after the grace; grace 0 is KILL at once. It
	// returns when the container has ended; nil when it had already.
	Stop(ctx context.Context, id string, grace time.Duration) error

	// Inspect tells the container's present state.
	Inspect(ctx context.Context, id string) (Container, error)

	// List finds every container labelled with the worker's id, of whatever
	// cluster, in whatever phase.
	List(ctx context.Context, workerID string) ([]Container, error)

	// Usage samples a running container; zero Usage for one that has ended.
	Usage(ctx context.Context, id string) (Usage, error)

	// Remove removes the container with its anonymous volumes and the fake's
	// files; nil when it is gone already. It kills a running one. The output
	// folder is the agent's to remove.
	Remove(ctx context.Context, id string) error

	// Close releases connections; containers run on.
	Close() error
}
