package cluster

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// TaskRequest is a task as a person asks for it: nil means that the default
// holds. Durations are Go style ("90s"), memory, storage and shm in MiB.
type TaskRequest struct {
	Image          string
	Command        string
	Args           []string
	Name           string
	CPU            *float64
	Memory         *int64
	Storage        *int64
	GPU            *int
	Env            map[string]string
	Workdir        string
	Timeout        string
	GracePeriod    string
	Priority       *int
	MaxRetries     *int
	MaxReschedules *int
	Labels         map[string]string
	Constraints    map[string]string
	TargetWorker   string
	Network        string
	ShmSize        *int64
	Inputs         []InputFile
}

// The defaults of a request.
const (
	DefaultCPU            = 1.0
	DefaultMemory         = 512  // MiB
	DefaultStorage        = 1024 // MiB
	DefaultGracePeriod    = 10 * time.Second
	DefaultPriority       = 50
	DefaultMaxReschedules = 3
	DefaultNetwork        = "bridge"
)

// The bounds of a request. The upper ones lie beyond any machine; they keep
// sums of amounts exact and far from overflow.
const (
	MinCPU     = 0.01
	MaxCPU     = 1e6
	MinMemory  = 6       // MiB, the engine's own
	MaxMiB     = 1 << 40 // of memory, storage and shm
	MaxGPU     = 4096
	MaxRepeats = 1000 // of max_retries and of max_reschedules

	MaxArgument    = 131071 // bytes of the command, one argument, one NAME=value pair (the kernel's own)
	MaxImage       = 512    // bytes
	MaxName        = 256    // bytes of a name, label or constraint
	MaxLabels      = 128    // labels or constraints
	MaxPath        = 4096   // bytes
	MaxInputs      = 1000   // files
	MaxInputBytes  = 1 << 20
	MaxTimeout     = 10 * 365 * 24 * time.Hour
	MaxGracePeriod = 24 * time.Hour
)

// Spec checks the request and completes it with the defaults. All that is
// wrong is reported at once, as an *InvalidError with one entry per fault,
// located as in the JSON body. A Spec that comes back is within all bounds and
// shares no memory with the request but the inputs' content.
func (r TaskRequest) Spec() (Spec, error) {
	var c check
	c.image(r.Image)
	c.process(r)
	spec := Spec{
		Image:          r.Image,
		Command:        r.Command,
		Args:           slices.Clone(r.Args),
		Name:           r.Name,
		Resources:      c.resources(r),
		Env:            maps.Clone(r.Env),
		Workdir:        r.Workdir,
		Timeout:        c.duration("timeout", r.Timeout, 0, 1, MaxTimeout),
		GracePeriod:    c.duration("grace_period", r.GracePeriod, DefaultGracePeriod, 0, MaxGracePeriod),
		Priority:       int(orDefault(&c, "priority", r.Priority, DefaultPriority, 0, 100)),
		MaxRetries:     int(orDefault(&c, "max_retries", r.MaxRetries, 0, 0, MaxRepeats)),
		MaxReschedules: int(orDefault(&c, "max_reschedules", r.MaxReschedules, DefaultMaxReschedules, 0, MaxRepeats)),
		Labels:         maps.Clone(r.Labels),
		Constraints:    maps.Clone(r.Constraints),
		TargetWorker:   WorkerID(r.TargetWorker),
		Network:        c.network(r.Network),
		ShmSize:        orDefault(&c, "shm_size", r.ShmSize, 0, 0, MaxMiB),
		Inputs:         slices.Clone(r.Inputs),
	}
	c.text("name", r.Name, MaxName)
	c.labels("labels", r.Labels)
	c.labels("constraints", r.Constraints)
	c.text("target_worker_id", r.TargetWorker, MaxName)
	c.inputs(r.Inputs)
	if len(c.fields) > 0 {
		return Spec{}, &InvalidError{Fields: c.fields}
	}
	return spec, nil
}

// resources checks the amounts asked for.
func (c *check) resources(r TaskRequest) Resources {
	cpu := DefaultCPU
	if r.CPU != nil {
		cpu = *r.CPU
	}
	switch {
	case math.IsNaN(cpu) || math.IsInf(cpu, 0):
		c.add("cpu_required", "must be a finite number of cores")
	case cpu < MinCPU || cpu > MaxCPU:
		c.add("cpu_required", "must be between 0.01 and 1000000 cores, not "+strconv.FormatFloat(cpu, 'g', 6, 64))
	}
	return Resources{
		CPU:     cpu,
		Memory:  orDefault(c, "memory_required", r.Memory, DefaultMemory, MinMemory, MaxMiB),
		Storage: orDefault(c, "storage_required", r.Storage, DefaultStorage, 0, MaxMiB),
		GPU:     int(orDefault(c, "gpu_required", r.GPU, 0, 0, MaxGPU)),
	}
}

func (c *check) network(name string) string {
	switch name {
	case "":
		return DefaultNetwork
	case "bridge", "none":
	default:
		c.add("network", "must be bridge or none")
	}
	return name
}

// TaskChange is what a person wants changed of a waiting task; nil leaves a
// field as it is.
type TaskChange struct {
	Name     *string
	Priority *int
	Timeout  *string // Go style; empty: none
}

// Edit checks the change. All that is wrong is reported at once, as an
// *InvalidError.
func (r TaskChange) Edit() (Edit, error) {
	var c check
	e := Edit{Name: r.Name, Priority: r.Priority}
	if r.Name != nil {
		c.text("name", *r.Name, MaxName)
	}
	orDefault(&c, "priority", r.Priority, DefaultPriority, 0, 100)
	if r.Timeout != nil {
		timeout := c.duration("timeout", *r.Timeout, 0, 1, MaxTimeout)
		e.Timeout = &timeout
	}
	if len(c.fields) > 0 {
		return Edit{}, &InvalidError{Fields: c.fields}
	}
	return e, nil
}
