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
	"runtime"
	"syscall"

	"golang.org/x/sync/errgroup"

	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/config"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/pulled"
	"cloudai/worker/internal/server"
	"cloudai/worker/internal/system"
	"cloudai/worker/internal/telemetry"
	"cloudai/worker/internal/uplink"
)

// version is set by the build.
var version = "dev"

// ballast is never touched, so it takes no memory; it counts as part of the
// heap, so that the collector waits for that much garbage even when little is
// alive.
const ballast = 16 << 20

func main() {
	heap := make([]byte, ballast)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	runtime.KeepAlive(heap)
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
	engine, keeper, err := newExecutor(cfg, data, log)
	if err != nil {
		return err
	}
	defer engine.Close()
	info, err := awaitEngine(ctx, engine, log)
	if err != nil {
		return nil // told to end before the engine answered
	}
	return serve(ctx, cfg, data, engine, keeper, info, log)
}

// serve works until ctx ends.
func serve(ctx context.Context, cfg config.Config, data *system.DataDir, engine executor.Executor, keeper *pulled.Keeper, info executor.Info, log *slog.Logger) error {
	workerID, err := data.WorkerID(cfg.WorkerID)
	if err != nil {
		return err
	}
	identity, err := loadIdentity(cfg, data)
	if err != nil {
		return err
	}
	disks := disksOf(cfg, data, info)
	capacity, err := capacityOf(ctx, cfg, data, info, disks)
	if err != nil {
		return err
	}
	session, seed, err := newSession()
	if err != nil {
		return err
	}
	listener, port, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	up := uplink.New(uplink.Config{
		MasterAddr: cfg.MasterAddr, Token: cfg.Join.Token, TokenFile: cfg.Join.TokenFile,
		Advertise: cfg.Listen.Advertise, Port: port, Identity: identity,
	})
	defer up.Close()
	sampler := telemetry.NewSampler(disks, capacity.Storage, capacity.GPU > 0)
	worker := agent.New(agent.Config{
		Worker: agent.Worker{ID: workerID, Session: session, Version: version, Labels: cfg.Labels}, Seed: seed, Dir: data.Path,
		Capacity: agent.Capacity(capacity), DiskReserve: cfg.DiskReserve, RestartGrace: cfg.RestartGrace, Returning: data.TakeLeft(), StopTasks: cfg.StopTasks,
		Usage:    func() agent.HostUsage { return agent.HostUsage(sampler.Latest()) },
		Executor: engine, Uplink: up, Log: log,
	})
	edge := server.New(worker, identity, up)
	log.Info("worker starts", "worker_id", workerID, "version", version, "address", listener.Addr().String(),
		"master", cfg.MasterAddr, "executor", cfg.Engine.Executor, "cpu", capacity.CPU, "memory_mib", capacity.Memory,
		"storage_mib", capacity.Storage, "gpu", capacity.GPU)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return sampler.Run(ctx) })
	group.Go(func() error { return keepRoom(ctx, keeper, worker) })
	group.Go(func() error { return server.Serve(edge, listener) })
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
