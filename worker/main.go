// Command worker runs the tasks of a CloudAI master as containers on its host.
// This file only wires.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/config"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/docker"
	"cloudai/worker/internal/executor/fake"
	"cloudai/worker/internal/server"
	"cloudai/worker/internal/system"
	"cloudai/worker/internal/telemetry"
	"cloudai/worker/internal/uplink"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	cfg, err := config.Load(args, getenv, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, version)
		return nil
	case err != nil:
		return err
	}
	log := newLogger(cfg.Log, stderr)
	data, err := system.OpenDataDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer data.Close()
	workerID, err := data.WorkerID(cfg.WorkerID)
	if err != nil {
		return err
	}
	identity, err := loadIdentity(cfg, data)
	if err != nil {
		return err
	}
	engine, err := newExecutor(cfg, data)
	if err != nil {
		return err
	}
	defer engine.Close()
	info, err := awaitEngine(ctx, engine, log)
	if err != nil {
		return nil // told to end before the engine answered
	}
	capacity, err := system.Find(ctx, info, data.Path, cfg.Capacity)
	if err != nil {
		return err
	}
	listener, port, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	up := uplink.New(uplink.Config{
		MasterAddr: cfg.MasterAddr, Join: cfg.Join, Advertise: cfg.Listen.Advertise, Port: port, Identity: identity,
	})
	defer up.Close()
	sampler := telemetry.NewSampler(data.Path, capacity.GPU > 0)
	session, seed, err := newSession()
	if err != nil {
		return err
	}
	worker := agent.New(agent.Config{
		WorkerID: workerID, Session: session, Seed: seed, Version: version, Labels: cfg.Labels, Dir: data.Path,
		Capacity: agent.Capacity(capacity), RestartGrace: cfg.RestartGrace, Returning: data.TakeLeft(), StopTasks: cfg.StopTasks,
		Usage:    func() agent.HostUsage { return agent.HostUsage(sampler.Latest()) },
		Executor: engine, Uplink: up, Log: log,
	})
	edge := server.New(worker, identity, up.Pinned)
	log.Info("worker starts", "worker_id", workerID, "version", version, "address", listener.Addr().String(),
		"master", cfg.MasterAddr, "executor", cfg.Engine.Executor, "cpu", capacity.CPU, "memory_mib", capacity.Memory,
		"storage_mib", capacity.Storage, "gpu", capacity.GPU)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return sampler.Run(ctx) })
	group.Go(func() error { return edge.Serve(listener) })
	group.Go(func() error {
		// The master may call until the agent has said good-bye.
		defer edge.Stop()
		return worker.Run(ctx)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	log.Info("worker ends")
	return data.MarkLeft()
}

func newLogger(cfg config.Log, out io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.JSON {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}

func loadIdentity(cfg config.Config, data *system.DataDir) (transport.Identity, error) {
	if !cfg.TLS {
		return transport.PlaintextIdentity(cfg.MasterAddr, cfg.Listen.Addr)
	}
	return transport.LoadOrCreateIdentity(data.Path, "worker")
}

func newExecutor(cfg config.Config, data *system.DataDir) (executor.Executor, error) {
	if cfg.Engine.Executor == "docker" {
		return docker.New(docker.Config{Host: cfg.Engine.DockerHost, ConfigDir: cfg.Engine.DockerConfig})
	}
	info, err := system.Find(context.Background(), executor.Info{}, data.Path, cfg.Capacity)
	if err != nil {
		return nil, err
	}
	return fake.New(fake.Config{
		Dir: filepath.Join(data.Path, "fake"), CPU: info.CPU, Memory: info.Memory, Storage: info.Storage, GPU: info.GPU,
	})
}
