// Package fake is an executor that runs nothing: its containers are lines in a
// file that say when they started, how long they pretend to run and when
// somebody stopped them. State, log and output follow from these and the clock
// alone, so a new process finds every container as it should be by then. It is
// steered by the task's environment, see parsePlan. It must stay cheap: no
// sync to disk, no polling, and no work for a container that only exits.
package fake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/shirou/gopsutil/v3/mem"

	"cloudai/worker/internal/executor"
)

// Config of a fake executor.
type Config struct {
	Dir string // where the containers are kept; made when missing
}

// Executor keeps containers in a journal. It implements executor.Executor.
type Executor struct {
	cfg     Config
	journal *journal

	mu      sync.Mutex
	waiters map[string]map[chan struct{}]struct{} // by id: who waits for a change of the container
}

var _ executor.Executor = (*Executor)(nil)

// New opens the folder's containers.
func New(cfg Config) (*Executor, error) {
	j, err := openJournal(filepath.Join(cfg.Dir, "fake-containers.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("fake executor: %w", err)
	}
	return &Executor{cfg: cfg, journal: j, waiters: map[string]map[chan struct{}]struct{}{}}, nil
}

// Info reports what the host has.
func (e *Executor) Info(ctx context.Context) (executor.Info, error) {
	if err := e.Ping(ctx); err != nil {
		return executor.Info{}, err
	}
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return executor.Info{}, fmt.Errorf("reading the host's memory: %w", err)
	}
	return executor.Info{
		Version: "fake", CPU: float64(runtime.NumCPU()), Memory: int64(m.Total >> 20), LiveRestore: true,
	}, nil
}

// Ping says whether the journal is there.
func (e *Executor) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Stat(e.journal.path); err != nil {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	return nil
}

// EnsureImage has every image, but for names that say otherwise: a registry
// below .invalid cannot be reached, and no registry has a tag "absent".
func (e *Executor) EnsureImage(ctx context.Context, image string, _ func(executor.PullProgress)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", executor.ErrImage, image, err)
	}
	host := reference.Domain(named)
	if h, _, _ := strings.Cut(host, ":"); strings.HasSuffix(h, ".invalid") {
		return fmt.Errorf("%w: %s, for image %s: no such host", executor.ErrRegistry, host, image)
	}
	if tagged, ok := named.(reference.Tagged); ok && tagged.Tag() == "absent" {
		return fmt.Errorf("%w: %s has no image %s", executor.ErrImage, host, image)
	}
	return nil
}

// Create writes the container down, or finds the one that is there.
func (e *Executor) Create(ctx context.Context, spec executor.Spec) (executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return executor.Container{}, err
	}
	name, err := spec.Key.Name()
	if err != nil {
		return executor.Container{}, err
	}
	if spec.Command != "" && len(spec.Args) > 0 {
		return executor.Container{}, errors.New("command and args exclude each other")
	}
	plan, err := parsePlan(spec.Env)
	if err != nil {
		return executor.Container{}, err
	}
	if plan.Fail == failPull {
		return executor.Container{}, fmt.Errorf("%w: %s: FAKE_FAIL=pull", executor.ErrImage, spec.Image)
	}
	if plan.Fail == failCreate {
		return executor.Container{}, errors.New("the engine refused to create the container: FAKE_FAIL=create")
	}
	if plan.Files > 0 && spec.OutputDir == "" {
		return executor.Container{}, errors.New("the container has no output folder")
	}
	labels, err := spec.Labels()
	if err != nil {
		return executor.Container{}, err
	}
	found, made, err := e.journal.create(name, labels, plan)
	if err != nil {
		return executor.Container{}, err
	}
	if !made && found.spec.Key != spec.Key {
		return executor.Container{}, fmt.Errorf("%w: %s belongs to another lease", executor.ErrConflict, name)
	}
	return found.container(time.Now()), nil
}

// Inspect tells the container's present state.
func (e *Executor) Inspect(ctx context.Context, id string) (executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return executor.Container{}, err
	}
	rec, err := e.journal.read(id)
	if err != nil {
		return executor.Container{}, err
	}
	return rec.container(time.Now()), nil
}

// List returns the worker's containers.
func (e *Executor) List(ctx context.Context, workerID string) ([]executor.Container, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records, err := e.journal.all()
	if err != nil {
		return nil, err
	}
	var found []executor.Container
	now := time.Now()
	for _, r := range records {
		if r.spec.WorkerID == workerID {
			found = append(found, r.container(now))
		}
	}
	return found, nil
}

// Usage pretends that a running container uses half of what it may.
func (e *Executor) Usage(ctx context.Context, id string) (executor.Usage, error) {
	c, err := e.Inspect(ctx, id)
	if err != nil || c.Phase != executor.PhaseRunning {
		return executor.Usage{}, err
	}
	half := float64(c.Spec.Memory) / 2
	return executor.Usage{
		CPUSeconds: c.Spec.CPU / 2 * max(0, time.Since(c.StartedAt).Seconds()),
		Memory:     half,
		MemoryPeak: half,
		Pids:       1,
	}, nil
}

// Remove strikes the container out; a running one ends by that.
func (e *Executor) Remove(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := e.journal.add(entry{ID: id, Kind: kindRemove})
	if errors.Is(err, executor.ErrNotFound) {
		return nil
	}
	e.notify(id)
	return err
}

// Close closes the journal.
func (e *Executor) Close() error { return e.journal.close() }
