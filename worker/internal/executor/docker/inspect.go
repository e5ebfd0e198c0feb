package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"cloudai/worker/internal/executor"
)

// inspection is what the package reads from an inspected container.
type inspection struct {
	state   executor.Container
	workdir string
	shell   bool // runs by /bin/sh -c
	pid     int
}

// Inspect tells the container's present state.
func (e *Executor) Inspect(ctx context.Context, id string) (executor.Container, error) {
	found, err := e.inspect(ctx, id)
	return found.state, err
}

// inspect looks a container up by id or name. One that is not ours has a
// zero Key.
func (e *Executor) inspect(ctx context.Context, id string) (inspection, error) {
	short, cancel := e.bounded(ctx)
	defer cancel()
	raw, err := e.api.ContainerInspect(short, id)
	if err != nil {
		return inspection{}, fail(ctx, "looking at the container", err)
	}
	if raw.ContainerJSONBase == nil || raw.State == nil || raw.Config == nil {
		return inspection{}, fmt.Errorf("container %.12s: the engine's answer lacks its state", id)
	}
	found := inspection{
		state: executor.Container{
			ID:         raw.ID,
			Phase:      phaseOf(raw.State.Status),
			StartedAt:  engineTime(raw.State.StartedAt),
			FinishedAt: engineTime(raw.State.FinishedAt),
			ExitCode:   raw.State.ExitCode,
			OOMKilled:  raw.State.OOMKilled,
			Error:      raw.State.Error,
		},
		workdir: raw.Config.WorkingDir,
		shell:   slices.Equal(raw.Config.Entrypoint, []string{"/bin/sh", "-c"}),
		pid:     raw.State.Pid,
	}
	if spec, err := executor.SpecFromLabels(raw.Config.Labels); err == nil {
		found.state.Spec = spec
	}
	switch found.state.Phase {
	case executor.PhaseCreated:
		_, inputs := raw.Config.Labels[labelInputs]
		found.state.HalfMade = inputs && !e.hints.complete(raw.Name[min(1, len(raw.Name)):], raw.ID)
		found.state.ExitCode = 0
		found.state.FinishedAt = time.Time{}
	case executor.PhaseRunning:
		found.state.FinishedAt = time.Time{}
	case executor.PhaseExited:
		found.state.FinishedAt = endTime(found.state.StartedAt, found.state.FinishedAt)
	}
	return found, nil
}

// mostBehind is how far an end can lie before the start of the same container,
// since the engine takes the two times in different places: a program that only
// exits can seem to end before it starts.
const mostBehind = 2 * time.Second

// endTime is when a container ended, zero when that is not known: an engine that
// was killed with what watched the container says that it ended with 255, and
// gives the year 1 or 1970 for when.
func endTime(started, finished time.Time) time.Time {
	switch {
	case finished.Before(started.Add(-mostBehind)):
		return time.Time{}
	case finished.Before(started):
		return started
	}
	return finished
}

// phaseOf folds the engine's states.
func phaseOf(status container.ContainerState) executor.Phase {
	switch status {
	case container.StateCreated:
		return executor.PhaseCreated
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return executor.PhaseRunning
	default:
		return executor.PhaseExited
	}
}

// engineTime reads the engine's times; its zero is the year 1.
func engineTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// List finds the worker's containers, of whatever cluster: a worker of another
// one may have the same id, and be in the middle of making one.
func (e *Executor) List(ctx context.Context, workerID string) ([]executor.Container, error) {
	short, cancel := e.bounded(ctx)
	defer cancel()
	rows, err := e.api.ContainerList(short, container.ListOptions{
		All:     true,
		Filters: filters.NewArgs(filters.Arg("label", executor.LabelWorker+"="+workerID)),
	})
	if err != nil {
		return nil, fail(ctx, "listing the containers", err)
	}
	found := make([]executor.Container, 0, len(rows))
	for _, row := range rows {
		c, err := e.listed(ctx, row)
		if errors.Is(err, executor.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	e.hints.setStates(found)
	return found, nil
}

// listed completes a row of the listing, which lacks times and exit code.
func (e *Executor) listed(ctx context.Context, row container.Summary) (executor.Container, error) {
	if c, ok := e.hints.state(row.ID, phaseOf(row.State)); ok {
		return c, nil
	}
	got, err := e.inspect(ctx, row.ID)
	return got.state, err
}

// Remove kills and removes the container with its anonymous volumes.
func (e *Executor) Remove(ctx context.Context, id string) error {
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if cerrdefs.IsConflict(err) {
		// Somebody else removes it already.
		short, cancel := e.bounded(ctx)
		defer cancel()
		err = e.waitFor(short, id, container.WaitConditionRemoved)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fail(ctx, "removing the container", err)
	}
	e.hints.forget(id)
	e.usage.forget(id)
	return nil
}
