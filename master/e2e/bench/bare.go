package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	docker "github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// program is what each container runs.
var program = []string{"true"}

// What each container may use, bare and through CloudAI.
const (
	cpu    = 0.5 // cores
	memory = 64  // MiB
)

// bare runs containers by the engine's API, with the very settings that the
// worker gives them.
type bare struct {
	api   *docker.Client
	image string
	dir   string // of the folders that are bound to /output
}

func newBare(image, parent string) (*bare, error) {
	api, err := docker.NewClientWithOpts(docker.FromEnv, docker.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "cloudai-bench-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	return &bare{api: api, image: image, dir: dir}, nil
}

func (b *bare) close() error { return errors.Join(b.api.Close(), os.RemoveAll(b.dir)) }

// once sees one container through: create, start, wait, logs, remove. The
// steps, which may be nil, take how long each took.
func (b *bare) once(ctx context.Context, network string, steps *steps) (err error) {
	output, err := os.MkdirTemp(b.dir, "")
	if err != nil {
		return err
	}
	steps.begin(time.Now())
	yes, pids := true, int64(1024)
	made, err := b.api.ContainerCreate(ctx, &container.Config{
		Image: b.image, Cmd: program, Labels: map[string]string{"cloudai.bench": filepath.Base(b.dir)},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}, &container.HostConfig{
		NetworkMode: container.NetworkMode(network), Init: &yes,
		CapDrop:     []string{"ALL"},
		CapAdd:      []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE"},
		SecurityOpt: []string{"no-new-privileges"},
		LogConfig:   container.LogConfig{Type: "local", Config: map[string]string{"max-size": "2g", "max-file": "3", "compress": "false"}},
		Resources: container.Resources{
			CPUPeriod: 100_000, CPUQuota: cpu * 100_000, Memory: memory << 20, MemorySwap: memory << 20, PidsLimit: &pids,
		},
		Mounts: []mount.Mount{{Type: mount.TypeBind, Source: output, Target: "/output"}},
	}, nil, nil, "")
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	steps.done("create", time.Now())
	defer func() {
		err = errors.Join(err, b.api.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true}))
		steps.done("remove", time.Now())
	}()
	ended, broken := b.api.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
	if err := b.api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	steps.done("start", time.Now())
	select {
	case err := <-broken:
		return fmt.Errorf("wait: %w", err)
	case verdict := <-ended:
		if verdict.StatusCode != 0 {
			return fmt.Errorf("the container ended with %d", verdict.StatusCode)
		}
	}
	steps.done("wait", time.Now())
	log, err := b.api.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	defer log.Close()
	if _, err := stdcopy.StdCopy(io.Discard, io.Discard, log); err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	steps.done("logs", time.Now())
	return nil
}
