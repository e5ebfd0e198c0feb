// Package docker runs attempts as containers of a Docker engine. The engine
// keeps all that must outlive the worker: labels, stored log, exit state. What
// the package remembers itself are shortcuts (which image was seen, which
// container is fresh) that a new process does without.
//
// Start with docker.go, then create.go and run.go. How logs become chunks is
// in frames.go (the engine's framing), lines.go (chunks) and stored.go (the
// stored log of a container that was not attached to).
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"cloudai/worker/internal/executor"
)

// Config of an executor. The zero value talks to the local engine.
type Config struct {
	// Host is the engine's address as in DOCKER_HOST; empty: what the
	// client finds by itself.
	Host string
	// ConfigDir holds config.json with the registries' credentials, as in
	// DOCKER_CONFIG; empty: no credentials.
	ConfigDir string
	// AnswerTimeout bounds calls that the engine answers at once; default
	// 15 s.
	AnswerTimeout time.Duration
	// RegistryTimeout bounds the wait for a pull's first word; default 25 s.
	RegistryTimeout time.Duration
	// StallTimeout bounds the time without any progress of a pull; default
	// 60 s.
	StallTimeout time.Duration
	// Ledger hears of images that are pulled; nil: nobody does.
	Ledger Ledger
}

// Executor talks to one engine. It implements executor.Executor.
type Executor struct {
	api    *client.Client
	cfg    Config
	images *images
	hints  *hints
	usage  *usage
	signs  *signs
	// kernelLog is the kernel's, as far as this process may read it.
	kernelLog func() string
}

var _ executor.Executor = (*Executor)(nil)

// New makes an executor; it does not call the engine yet.
func New(cfg Config) (*Executor, error) {
	defaults := []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&cfg.AnswerTimeout, 15 * time.Second},
		{&cfg.RegistryTimeout, 25 * time.Second},
		{&cfg.StallTimeout, time.Minute},
	}
	for _, d := range defaults {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if cfg.Ledger == nil {
		cfg.Ledger = noLedger{}
	}
	opts := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if cfg.Host != "" {
		opts = append(opts, client.WithHost(cfg.Host))
	}
	api, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	signs, err := newSigns(opts)
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	return &Executor{
		api:    api,
		cfg:    cfg,
		images: newImages(api, cfg),
		hints:  newHints(),
		usage:  newUsage(api),
		signs:  signs,

		kernelLog: kernelLog,
	}, nil
}

// Info asks the engine what it has. Devices are counted by the agent: the
// engine does not know them.
func (e *Executor) Info(ctx context.Context) (executor.Info, error) {
	short, cancel := e.bounded(ctx)
	defer cancel()
	info, err := e.api.Info(short)
	if err != nil {
		return executor.Info{}, fail(ctx, "asking the engine for its capacity", err)
	}
	out := executor.Info{
		Version:     info.ServerVersion,
		CPU:         float64(info.NCPU),
		Memory:      info.MemTotal >> 20,
		LiveRestore: info.LiveRestoreEnabled,
	}
	if out.Instance, err = e.instance(short); err != nil {
		return executor.Info{}, fail(ctx, "asking the engine since when it runs", err)
	}
	if e.diskOf(short, info.DockerRootDir) != nil {
		out.Root = info.DockerRootDir
	}
	return out, nil
}

// instance tells this start of the engine from others. The engine does not say
// when it was started, but it then makes its socket anew, unless the system
// keeps that open for it, and its default network, unless it has none.
func (e *Executor) instance(ctx context.Context) (string, error) {
	var marks []string
	if path, local := strings.CutPrefix(e.api.DaemonHost(), "unix://"); local {
		info, err := os.Stat(path)
		if err != nil { // it has answered a moment ago, so it is stopping
			return "", fmt.Errorf("%w: %w", executor.ErrEngine, err)
		}
		marks = append(marks, info.ModTime().UTC().Format(time.RFC3339Nano))
	}
	bridge, err := e.api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	switch {
	case err == nil:
		marks = append(marks, bridge.Created.UTC().Format(time.RFC3339Nano))
	case !cerrdefs.IsNotFound(err):
		return "", err
	}
	return strings.Join(marks, " "), nil
}

// Ping asks for a sign of life.
func (e *Executor) Ping(ctx context.Context) error {
	short, cancel := e.bounded(ctx)
	defer cancel()
	if err := e.signs.ask(short); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Whatever it says, an engine that works would not say it.
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	return nil
}

// Close ends running pulls and samplings and closes the connections.
func (e *Executor) Close() error {
	e.images.close()
	e.usage.close()
	if err := errors.Join(e.api.Close(), e.signs.close()); err != nil {
		return fmt.Errorf("closing the engine's connections: %w", err)
	}
	return nil
}

// bounded is the context for a call that the engine answers at once.
func (e *Executor) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.cfg.AnswerTimeout)
}

// errHalfMade is told of a container whose input files were never completed,
// because its worker died meanwhile.
var errHalfMade = errors.New("its input files were never completed")
