package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/audit"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/config"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/dashboard"
	"cloudai/master/internal/db"
	"cloudai/master/internal/history"
	"cloudai/master/internal/http"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/retention"
	"cloudai/master/internal/scheduler"
	"cloudai/master/internal/server"
	"cloudai/master/internal/storage"
	"cloudai/master/internal/workerconn"
	"cloudai/proto/netport"
	"cloudai/proto/transport"
)

// followDelay is how long an attempt runs before its log is streamed; one that
// is over by then brings its log with its result.
const followDelay = 100 * time.Millisecond

// maxStreams is how many calls of one worker may be under way; it makes fewer.
// Who has only connected, and has no join token, holds no more either.
const maxStreams = 256

// serve runs a master until the context ends or a part of it fails, then ends
// it in order: doors, core, logs, connections, store.
func serve(ctx context.Context, cfg config.Config, getenv func(string) string, stdin *os.File, stdout, stderr io.Writer) (err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("MASTER_DATA_DIR: %w", err)
	}
	ctx, ignoreInterrupt := untilInterrupt(ctx)
	p := newPrompt(cfg, getenv, stdin, stdout, stderr, ignoreInterrupt)
	log, closeLog, err := openLog(cfg, stderr, p.wanted)
	if err != nil {
		return err
	}
	defer closeLog()
	store, lost, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m, err := build(ctx, cfg, store, log)
	if err != nil {
		return err
	}
	defer m.close()
	for _, line := range m.greeting() {
		fmt.Fprintln(stderr, line)
	}
	log.Info("serving", "grpc", m.workerDoor.Addr(), "http", m.tcp.Addr(), "socket", m.socket.Path, "version", version)
	return m.run(ctx, p, lost)
}

// master is everything that runs.
type master struct {
	log        *slog.Logger
	logs       *logs.Keeper
	files      *storage.Keeper
	pool       *workerconn.Pool
	core       *coordinator.Coordinator
	people     *accounts.Accounts
	audit      *audit.Log
	history    *history.History
	grpc       *grpc.Server
	web        *http.Server
	workerDoor net.Listener
	tcp        net.Listener
	socket     *http.Socket
}

// build makes the parts and opens the doors; nothing runs yet.
func build(ctx context.Context, cfg config.Config, store db.Store, log *slog.Logger) (_ *master, err error) {
	m := &master{log: log} // not the result: an error returns nil and still has to close it
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	identity, token, err := identities(cfg)
	if err != nil {
		return nil, err
	}
	clusterID, err := store.MetaOnce(ctx, "cluster_id", strings.ToLower(rand.Text()[:12]))
	if err != nil {
		return nil, err
	}
	policy, err := scheduler.New(cfg.Scheduler)
	if err != nil {
		return nil, fmt.Errorf("SCHEDULER: %w", err)
	}
	if err := m.openDoors(ctx, cfg); err != nil {
		return nil, err
	}
	masterID := clusterID // one master per cluster
	m.pool = workerconn.New(workerconn.Config{
		Identity: identity, ClusterID: clusterID, MasterID: masterID, MasterAddress: advertised(cfg, m.workerDoor), JoinSecret: token.Secret,
	})
	disks := disksOf(cfg)
	m.logs, err = logs.New(logs.Config{
		Dir: filepath.Join(cfg.DataDir, "logs"), Limit: cfg.LogLimit, Room: disks[0].room, Source: m.pool, Logger: log, FollowDelay: followDelay,
	})
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	m.files, err = storage.New(storage.Config{
		Dir: cfg.FilesDir, Reserve: (cfg.Retention.DiskReserve + 1<<20 - 1) >> 20, Quota: func(cluster.UserID) int64 { return cfg.FileQuota },
	})
	if err != nil {
		return nil, fmt.Errorf("FILES_DIR: %w", err)
	}
	measures := newMetrics()
	m.history = history.New(m.load)
	m.core = coordinator.New(coordinator.Config{
		Store: measures.Store(store), Observe: observed(measures, m.history), Client: m.pool, Logs: m.logs, Files: m.files, Policy: policy, Log: log, ClusterID: clusterID,
		HeartbeatInterval: cfg.Heartbeat.Interval, HeartbeatTimeout: cfg.Heartbeat.Timeout, LogLimit: cfg.LogLimit,
		Version: version, Retention: policyOf(cfg.Retention),
	})
	doorman := server.NewDoorman()
	m.workerDoor = doorman.Listen(m.workerDoor)
	m.watch(measures)
	m.grpc = grpc.NewServer(slices.Concat(transport.ServerOptions(identity), server.Timed(measures.GRPC),
		[]grpc.ServerOption{grpc.MaxConcurrentStreams(maxStreams), doorman.Watch()})...)
	server.New(server.Config{
		Core: m.core, Files: m.files, Logs: m.logs, JoinSecret: token.Secret,
		ClusterID: clusterID, MasterID: masterID, Version: version, Log: log,
	}).Register(m.grpc)
	if m.people, err = newAccounts(ctx, cfg, store, clusterID, log); err != nil {
		return nil, err
	}
	(&server.Agents{Core: m.core, Identify: m.people.Identify, Log: log}).Register(m.grpc)
	m.audit = audit.New(audit.Config{Store: store, Log: log, Keep: cfg.Retention.Audit})
	pages, err := dashboard.New()
	if err != nil {
		return nil, err
	}
	m.web, err = http.New(http.Config{
		Core: m.core, Accounts: m.people, Audit: m.audit, Logs: m.logs, Files: m.files, Log: log,
		Join: joinOf(ctx, cfg, m.workerDoor, token), Origins: cfg.CORS, Proxies: cfg.Proxies, Disks: lookAt(disks, log), Pages: pages,
		Metrics: measures.Handler(), Observe: measures.HTTP, History: m.history.Samples,
		Version: client.Version{Version: version, Go: runtime.Version()},
	})
	return m, err
}

// openDoors listens for workers and people.
func (m *master) openDoors(ctx context.Context, cfg config.Config) (err error) {
	if m.workerDoor, err = listenWorkers(ctx, cfg.GRPCAddr); err != nil {
		return err
	}
	if m.tcp, err = http.ListenTCP(ctx, cfg.HTTPAddr); err != nil {
		return err
	}
	m.socket, err = http.ListenSocket(ctx, cfg.DataDir)
	return err
}

// policyOf is what of finished tasks goes by itself.
func policyOf(r config.Retention) (p retention.Policy) {
	for _, set := range []struct {
		age time.Duration
		to  **time.Duration
	}{{r.Tasks, &p.Tasks}, {r.Logs, &p.Logs}, {r.Files, &p.Files}} {
		if set.age > 0 {
			*set.to = &set.age
		}
	}
	if r.Bytes > 0 {
		p.Bytes = &r.Bytes
	}
	return p
}

// newAccounts makes the accounts and reads what the store has of them.
func newAccounts(ctx context.Context, cfg config.Config, store accounts.Store, clusterID string, log *slog.Logger) (*accounts.Accounts, error) {
	key := cfg.Accounts.JWTSecret
	if key == "" {
		var err error
		if key, err = transport.LoadOrCreateSecret(filepath.Join(cfg.DataDir, "jwt-secret")); err != nil {
			return nil, err
		}
	}
	people := accounts.New(accounts.Config{
		Store: store, Key: []byte(key), Issuer: clusterID, TTL: cfg.Accounts.JWTTTL, Open: cfg.Accounts.Open, Log: log,
	})
	return people, people.Load(ctx)
}

// identities are the master's certificate and the join token made for it.
func identities(cfg config.Config) (transport.Identity, transport.JoinToken, error) {
	identity, err := transport.LoadOrCreateIdentity(cfg.DataDir, "master")
	if err != nil {
		return identity, transport.JoinToken{}, err
	}
	token, err := transport.LoadOrCreateJoinToken(filepath.Join(cfg.DataDir, "join-token"), identity.Fingerprint)
	if err != nil || cfg.TLS {
		return identity, token, err
	}
	identity, err = transport.PlaintextIdentity(cfg.GRPCAddr)
	return identity, token, err
}

func listenWorkers(ctx context.Context, addr string) (net.Listener, error) {
	return netport.ListenTCP(ctx, "GRPC_ADDR", "--grpc-addr", addr)
}

// advertised is the address that workers are told.
func advertised(cfg config.Config, door net.Listener) string {
	if cfg.Advertise == "" {
		return door.Addr().String()
	}
	host, port, _ := netport.SplitAdvertised(cfg.Advertise) // the configuration has been checked
	if port == 0 {
		port = door.Addr().(*net.TCPAddr).Port
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// openLog writes the log to stderr, or to a file while the prompt is open.
func openLog(cfg config.Config, stderr io.Writer, toFile bool) (*slog.Logger, func(), error) {
	out, done := stderr, func() {}
	if toFile {
		f, err := os.OpenFile(filepath.Join(cfg.DataDir, "master.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, err
		}
		out, done = f, func() { _ = f.Close() }
	}
	options := &slog.HandlerOptions{Level: cfg.Log.Level}
	if cfg.Log.JSON {
		return slog.New(slog.NewJSONHandler(out, options)), done, nil
	}
	return slog.New(slog.NewTextHandler(out, options)), done, nil
}

// greeting is what a person should know at the start.
func (m *master) greeting() []string {
	lines := []string{
		fmt.Sprintf("master %s: workers call %s, HTTP on %s", version, m.workerDoor.Addr(), m.tcp.Addr()),
		fmt.Sprintf("socket of this machine: %s; `join` prints the command for a worker on another one", m.socket.Path),
	}
	if code := m.people.SetupCode(); code != "" {
		lines = append(lines, "no account yet: the first one that registers is the administrator's; from another machine with setup_code "+code)
	}
	if err := transport.CheckLoopback(m.tcp.Addr().String()); err != nil {
		lines = append(lines, "HTTP_ADDR is beyond loopback and without HTTPS: passwords and tokens cross the network readable")
	}
	return lines
}

// run serves until the context ends or a part fails, then stops in order.
func (m *master) run(ctx context.Context, p *prompt, lost <-chan error) error {
	if err := m.core.Recover(ctx); err != nil {
		return err
	}
	base := context.WithoutCancel(ctx)
	group, failed := errgroup.WithContext(base)
	part := func(name string, run func(context.Context) error) (stop func()) {
		ctx, cancel := context.WithCancel(base)
		done := make(chan struct{})
		group.Go(func() error {
			defer close(done)
			if err := run(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
		return func() {
			cancel()
			<-done
		}
	}
	stopStore := part("store", untilLost(lost))
	stopLogs := part("logs", m.logs.Run)
	stopCore := part("coordinator", m.core.Run)
	stopHistory := part("history", m.history.Run)
	stopAudit := part("audit", m.audit.Run)
	stopWorkers := part("gRPC", m.serveWorkers)
	stopWeb := part("HTTP", func(ctx context.Context) error { return m.web.Run(ctx, m.socket, m.tcp) })
	left := make(chan struct{})
	stopPrompt := part("prompt", func(ctx context.Context) error { return p.run(ctx, left) })

	select {
	case <-ctx.Done():
	case <-left:
	case <-failed.Done():
	}
	m.log.Info("stopping")
	for _, stop := range []func(){stopPrompt, stopWeb, stopAudit, stopHistory, stopWorkers, stopCore, stopLogs} {
		stop()
	}
	m.closeAudit(base)
	stopStore()
	return group.Wait()
}

// closeAudit stores what the audit log has not stored yet.
func (m *master) closeAudit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := m.audit.Close(ctx); err != nil {
		m.log.Error("the end of the audit log is lost", "error", err)
	}
}

// stopGrace is how long workers' calls under way may take at the end.
const stopGrace = 2 * time.Second

func (m *master) serveWorkers(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- m.grpc.Serve(m.workerDoor) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.AfterFunc(stopGrace, m.grpc.Stop)
	m.grpc.GracefulStop()
	timer.Stop()
	if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // stopped before it served
		return err
	}
	return nil
}

// close releases what build has opened.
func (m *master) close() {
	if m.pool != nil {
		m.pool.Close()
	}
	if m.files != nil {
		_ = m.files.Close()
	}
	for _, l := range []net.Listener{m.workerDoor, m.tcp} {
		if l != nil {
			_ = l.Close()
		}
	}
	if m.socket != nil {
		_ = m.socket.Close()
	}
}
