//go:build engine

package docker

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/worker/internal/executor"
)

// BenchmarkBare is the floor: one container by the engine's API alone.
func BenchmarkBare(b *testing.B) {
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	ctx := b.Context()
	yes := true
	for b.Loop() {
		made, err := e.api.ContainerCreate(ctx, &container.Config{Image: testImage, Cmd: []string{"true"}},
			&container.HostConfig{NetworkMode: "none", Init: &yes}, nil, nil, "")
		if err != nil {
			b.Fatal(err)
		}
		exit, errs := e.api.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
		if err := e.api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
			b.Fatal(err)
		}
		select {
		case <-exit:
		case err := <-errs:
			b.Fatal(err)
		}
		body, err := e.api.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			b.Fatal(err)
		}
		_ = body.Close()
		if err := e.api.ContainerRemove(ctx, made.ID, container.RemoveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExecutor is the same container by the executor, with its defaults.
func BenchmarkExecutor(b *testing.B) {
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	ctx := b.Context()
	for n := 0; b.Loop(); n++ {
		spec := executor.Spec{
			Key:      executor.Key{ClusterID: "executortest", TaskID: time.Now().Format("150405.000000000"), Attempt: 1, Lease: "bench"},
			WorkerID: "bench", Image: testImage, CPU: 1, Memory: 64, Network: "none", Args: []string{"true"}, OutputDir: b.TempDir(),
		}
		if err := e.EnsureImage(ctx, spec.Image, nil); err != nil {
			b.Fatal(err)
		}
		c, err := e.Create(ctx, spec)
		if err != nil {
			b.Fatal(err)
		}
		_, err = e.Run(ctx, c.ID, executor.Offsets{}, nil, func(executor.LogChunk) error { return nil })
		if err != nil {
			b.Error(err)
		}
		if err := e.Remove(context.WithoutCancel(ctx), c.ID); err != nil {
			b.Fatal(err)
		}
	}
}
