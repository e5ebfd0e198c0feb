package docker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"cloudai/worker/internal/executor"
)

// labelInputs counts the input files, so that a process that finds the
// container before its start knows that it may be half made.
const labelInputs = "cloudai.inputs"

// Every container's frame, whatever the task asks for.
const (
	pidsLimit = 1024
	cpuPeriod = 100_000 // microseconds
	minQuota  = 1_000   // the kernel refuses less, in microseconds

	defaultLogLimit = 1 << 30 // bytes
	logFiles        = 3
)

// capabilities are kept of those that Docker grants; all others are dropped.
var capabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE",
}

// A name can be taken by a container that the engine is still making for a
// client that went away: it conflicts, but cannot be looked at yet.
const (
	conflictTries = 40
	conflictPause = 50 * time.Millisecond
)

// Create makes the container, or finds the one that is there.
func (e *Executor) Create(ctx context.Context, spec executor.Spec) (executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return executor.Container{}, err
	}
	name, err := spec.Key.Name()
	if err != nil {
		return executor.Container{}, err
	}
	config, host, err := describe(spec)
	if err != nil {
		return executor.Container{}, err
	}
	defer e.hints.begin(name)()
	repulled := false
	for try := 0; ; try++ {
		made, err := e.api.ContainerCreate(ctx, config, host, nil, nil, name)
		switch {
		case err == nil:
			return e.finishCreate(ctx, made.ID, spec)
		case ctx.Err() != nil:
			return executor.Container{}, ctx.Err()
		case cerrdefs.IsConflict(err):
			c, err := e.adopt(ctx, name, spec)
			if !errors.Is(err, executor.ErrNotFound) || try >= conflictTries {
				return c, err
			}
			if err := pause(ctx, conflictPause); err != nil {
				return executor.Container{}, err
			}
		case cerrdefs.IsNotFound(err) && !repulled:
			// The image went after it was last seen.
			repulled = true
			e.images.forget(spec.Image)
			if err := e.EnsureImage(ctx, spec.Image, nil); err != nil {
				return executor.Container{}, err
			}
		case cerrdefs.IsNotFound(err):
			return executor.Container{}, fmt.Errorf("%w: %s: %w", executor.ErrImage, spec.Image, err)
		default:
			return executor.Container{}, fail(ctx, "creating the container", err)
		}
	}
}

// finishCreate puts the inputs in; without them there is nothing to do.
func (e *Executor) finishCreate(ctx context.Context, id string, spec executor.Spec) (executor.Container, error) {
	if len(spec.Inputs) > 0 {
		if err := e.copyInputs(ctx, id, spec); err != nil {
			if ctx.Err() == nil {
				err = errors.Join(err, e.Remove(ctx, id))
			}
			return executor.Container{}, err
		}
	}
	e.hints.created(id)
	return executor.Container{ID: id, Spec: labelled(spec), Phase: executor.PhaseCreated}, nil
}

// adopt returns the container that has the name already, if it is the key's.
func (e *Executor) adopt(ctx context.Context, name string, spec executor.Spec) (executor.Container, error) {
	found, err := e.inspect(ctx, name)
	if err != nil {
		return executor.Container{}, err
	}
	if found.state.Spec.Key != spec.Key {
		return executor.Container{}, fmt.Errorf("%w: %s is container %.12s of task %q, attempt %d",
			executor.ErrConflict, name, found.state.ID, found.state.Spec.Key.TaskID, found.state.Spec.Key.Attempt)
	}
	id := found.state.ID
	if found.state.Phase == executor.PhaseCreated && len(spec.Inputs) > 0 {
		if err := e.copyInputs(ctx, id, spec); err != nil {
			return executor.Container{}, err
		}
		e.hints.refilled(id)
	}
	return found.state, nil
}

// labelled is the spec as a later process would read it from the labels.
func labelled(s executor.Spec) executor.Spec {
	s.Command, s.Args, s.Env, s.Workdir, s.ShmSize, s.Inputs = "", nil, nil, "", 0, nil
	return s
}

// describe says to the engine what the spec asks for.
func describe(spec executor.Spec) (*container.Config, *container.HostConfig, error) {
	labels, err := spec.Labels()
	if err != nil {
		return nil, nil, err
	}
	if len(spec.Inputs) > 0 {
		labels[labelInputs] = strconv.Itoa(len(spec.Inputs))
	}
	env, err := environment(spec.Env)
	if err != nil {
		return nil, nil, err
	}
	network := spec.Network
	switch network {
	case "":
		network = "bridge"
	case "bridge", "none":
	default:
		return nil, nil, fmt.Errorf("network %q: must be bridge or none", network)
	}
	config := &container.Config{
		Image:      spec.Image,
		Env:        env,
		WorkingDir: spec.Workdir,
		Labels:     labels,
		Cmd:        spec.Args,
		// A task has an end; what watches over services only costs.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	if spec.Command != "" {
		if len(spec.Args) > 0 {
			return nil, nil, errors.New("command and args exclude each other")
		}
		config.Entrypoint, config.Cmd = []string{"/bin/sh", "-c"}, []string{spec.Command}
	}
	if err := checkArgs(config.Cmd); err != nil {
		return nil, nil, err
	}
	if spec.Grace > 0 {
		// What the engine gives the container when it shuts down itself.
		seconds := wholeSeconds(spec.Grace)
		config.StopTimeout = &seconds
	}
	return config, hostConfig(spec, network), nil
}

func hostConfig(spec executor.Spec, network string) *container.HostConfig {
	yes, pids := true, int64(pidsLimit)
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(network),
		Init:        &yes,
		CapDrop:     []string{"ALL"},
		CapAdd:      slices.Clone(capabilities),
		SecurityOpt: []string{"no-new-privileges"},
		ShmSize:     spec.ShmSize << 20,
		LogConfig:   logConfig(spec.LogLimit),
		Resources: container.Resources{
			Memory:     spec.Memory << 20,
			MemorySwap: spec.Memory << 20,
			PidsLimit:  &pids,
		},
	}
	if spec.CPU > 0 {
		host.CPUPeriod = cpuPeriod
		host.CPUQuota = max(minQuota, int64(math.Round(spec.CPU*cpuPeriod)))
	}
	if spec.OutputDir != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: spec.OutputDir, Target: executor.OutputPath}}
	}
	if spec.GPU > 0 {
		host.DeviceRequests = []container.DeviceRequest{{Count: spec.GPU, Capabilities: [][]string{{"gpu"}}}}
	}
	return host
}

// logConfig makes the engine keep more than the limit, also when short lines
// need some room each: offsets count from the first byte, so none may go
// while they matter.
func logConfig(limit int64) container.LogConfig {
	if limit <= 0 {
		limit = defaultLogLimit
	}
	return container.LogConfig{Type: "local", Config: map[string]string{
		"max-size": strconv.FormatInt(max(1<<20, 2*limit), 10),
		"max-file": strconv.Itoa(logFiles),
		"compress": "false",
	}}
}

// maxArg is the longest argument or environment pair that the kernel takes, in
// bytes. The engine would start such a container, and its init would fail.
const maxArg = 131_071

// checkArgs refuses what could not be handed to a program.
func checkArgs(args []string) error {
	for i, arg := range args {
		if len(arg) > maxArg || strings.Contains(arg, "\x00") {
			return fmt.Errorf("argument %d: %d bytes, of at most %d, or a NUL among them", i, len(arg), maxArg)
		}
	}
	return nil
}

// environment is the list the engine wants, in a stable order. The engine
// would take a NUL and then refuse the start.
func environment(vars map[string]string) ([]string, error) {
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") || len(name)+1+len(value) > maxArg {
			return nil, fmt.Errorf("environment variable %.100q: a NUL, a '=' in the name, no name, or more than %d bytes", name, maxArg)
		}
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env, nil
}

// wholeSeconds rounds up, as the engine counts seconds only.
func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
