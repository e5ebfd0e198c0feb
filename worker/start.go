package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"cloudai/proto/netport"
	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/config"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/docker"
	"cloudai/worker/internal/executor/fake"
	"cloudai/worker/internal/pulled"
	"cloudai/worker/internal/system"
)

// engineRetry is how often an engine that is not there yet is asked, and
// engineRepeat how often that is told.
const (
	engineRetry  = time.Second
	engineRepeat = 30
)

// awaitEngine returns what the engine has once it answers. The error is the
// context's.
func awaitEngine(ctx context.Context, engine executor.Executor, log *slog.Logger) (executor.Info, error) {
	for tries := 0; ; tries++ {
		info, err := engine.Info(ctx)
		if err == nil {
			return info, nil
		}
		if ctx.Err() != nil {
			return executor.Info{}, ctx.Err()
		}
		if tries%engineRepeat == 0 {
			log.Warn("waiting for the container engine", "error", err)
		}
		select {
		case <-time.After(engineRetry):
		case <-ctx.Done():
			return executor.Info{}, ctx.Err()
		}
	}
}

// portsTried is how many ports from the default on are tried.
const portsTried = 100

// listen takes the address, or the next free port when none was asked for.
func listen(ctx context.Context, cfg config.Listen) (net.Listener, int, error) {
	host, first, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, 0, fmt.Errorf("WORKER_ADDR: %w", err)
	}
	port, err := net.LookupPort("tcp", first)
	if err != nil {
		return nil, 0, fmt.Errorf("WORKER_ADDR: %w", err)
	}
	if cfg.Fixed {
		l, err := netport.ListenTCP(ctx, "WORKER_ADDR", "--worker-addr", cfg.Addr)
		if err != nil {
			return nil, 0, err
		}
		return l, l.Addr().(*net.TCPAddr).Port, nil
	}
	for last := port + portsTried; ; port++ {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		switch {
		case err == nil:
			return l, l.Addr().(*net.TCPAddr).Port, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, 0, fmt.Errorf("WORKER_ADDR: %w", err)
		case port == last:
			return nil, 0, fmt.Errorf("WORKER_ADDR: all ports from %s to %d are in use; choose a free one with --worker-addr", first, last)
		}
	}
}

// newSession names this start of the worker, and seeds its jitter.
func newSession() (session string, seed uint64, err error) {
	var random [24]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(random[:16]), binary.LittleEndian.Uint64(random[16:]), nil
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

// newExecutor makes what runs the tasks, and what keeps room on the engine's
// disk, which the fake does not need.
func newExecutor(cfg config.Config, data *system.DataDir, log *slog.Logger) (executor.Executor, *pulled.Keeper, error) {
	if cfg.Engine.Executor == "docker" {
		record, err := pulled.Open(filepath.Join(data.Path, "images.json"), log)
		if err != nil {
			return nil, nil, err
		}
		engine, err := docker.New(docker.Config{Host: cfg.Engine.DockerHost, ConfigDir: cfg.Engine.DockerConfig, Ledger: record})
		keeper := &pulled.Keeper{
			Record: record, Engine: engine, Log: log,
			Reserve: reserveOf(cfg),
		}
		return engine, keeper, err
	}
	engine, err := fake.New(fake.Config{Dir: filepath.Join(data.Path, "fake")})
	return engine, nil, err
}

func reserveOf(cfg config.Config) func(total int64) int64 {
	return func(total int64) int64 { return agent.Reserve(cfg.DiskReserve, total) }
}

// disksOf are those that tasks fill.
func disksOf(cfg config.Config, data *system.DataDir, info executor.Info) system.Disks {
	return system.Disks{Output: data.Path, Engine: info.Root, Reserve: reserveOf(cfg)}
}

// capacityOf is what there is for tasks. What those of an earlier process have
// written is theirs already, and counts as taken, not as missing.
func capacityOf(ctx context.Context, cfg config.Config, data *system.DataDir, info executor.Info, disks system.Disks) (system.Capacity, error) {
	storage, err := disks.Offer(ctx, agent.Held(ctx, data.Path))
	if err != nil {
		return system.Capacity{}, err
	}
	engine := system.Capacity{CPU: info.CPU, Memory: info.Memory, GPU: info.GPU}
	return system.Find(ctx, engine, storage, system.Chosen(cfg.Capacity))
}

// keepRoom removes images that no task needs while the engine's disk is nearly
// full, until ctx ends.
func keepRoom(ctx context.Context, keeper *pulled.Keeper, worker *agent.Agent) error {
	if keeper == nil {
		return nil
	}
	return keeper.Run(ctx, func(i pulled.Image) bool {
		return worker.Uses(func(asked string) bool { return docker.Asks(asked, i) })
	})
}
