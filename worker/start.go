package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"

	"cloudai/worker/internal/config"
	"cloudai/worker/internal/executor"
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
	for last := port + portsTried; ; port++ {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return l, l.Addr().(*net.TCPAddr).Port, nil
		}
		if cfg.Fixed || !errors.Is(err, syscall.EADDRINUSE) || port == last {
			return nil, 0, fmt.Errorf("WORKER_ADDR: %w", err)
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
