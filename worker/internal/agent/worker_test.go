package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/fake"
	"cloudai/worker/internal/server"
	"cloudai/worker/internal/uplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// worker is a whole worker but for its process: agent, edge and uplink, with
// the fake executor.
type worker struct {
	t      testing.TB
	dir    string
	agent  *agent.Agent
	conn   *grpc.ClientConn
	client pb.WorkerClient // as the master
	stop   func()
}

type workerOption func(*agent.Config)

func withExecutor(wrap func(executor.Executor) executor.Executor) workerOption {
	return func(c *agent.Config) { c.Executor = wrap(c.Executor) }
}

// startWorker runs a worker on dir until stop is called, or the test ends.
func startWorker(t testing.TB, m *master, dir, session string, opts ...workerOption) *worker {
	t.Helper()
	id, err := transport.LoadOrCreateIdentity(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := fake.New(fake.Config{Dir: filepath.Join(dir, "fake")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := uplink.New(uplink.Config{
		MasterAddr: m.addr, Token: m.token.Encode(), Port: l.Addr().(*net.TCPAddr).Port, Identity: id,
	})
	cfg := agent.Config{
		Worker: agent.Worker{ID: "w1", Session: session, Version: "test"}, Seed: 1, Dir: dir,
		Capacity: agent.Capacity{CPU: 8, Memory: 1024, Storage: 1024}, RestartGrace: time.Minute,
		Usage: func() agent.HostUsage { return agent.HostUsage{} }, Executor: engine, Uplink: up,
		Log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
	}
	for _, opt := range opts {
		opt(&cfg)
	}
	w := &worker{t: t, dir: dir, agent: agent.New(cfg)}
	edge := server.New(w.agent, id, up)
	ctx, cancel := context.WithCancel(context.Background())
	ran, served := make(chan error, 1), make(chan error, 1)
	go func() { ran <- w.agent.Run(ctx) }()
	go func() { served <- edge.Serve(l) }()
	w.conn, err = grpc.NewClient(l.Addr().String(), transport.DialOptions(m.id, id.Fingerprint)...)
	if err != nil {
		t.Fatal(err)
	}
	w.client = pb.NewWorkerClient(w.conn)
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		err := <-ran
		edge.Stop()
		if err := errors.Join(err, <-served, w.conn.Close(), up.Close(), engine.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(w.stop)
	return w
}

// testLog writes the worker's log into the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Helper()
	if testing.Verbose() {
		_, _ = os.Stderr.Write(p)
	}
	return len(p), nil
}

func task(id string, env map[string]string) *pb.Task {
	return &pb.Task{
		TaskId: id, Attempt: 1, Lease: "lease-" + id, Session: "s1", ClusterId: clusterID, DockerImage: "busybox",
		UserId: "u1", ReqCpu: 1, ReqMemory: 64, ReqStorage: 64, Network: "none", Env: env,
	}
}

// assign repeats the assignment until the worker is ready for it.
func (w *worker) assign(task *pb.Task) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := w.client.AssignTask(context.Background(), task, grpc.WaitForReady(true))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal(err)
		}
	}
}

// leftovers are the containers and output folders that exist.
func (w *worker) leftovers() (containers, folders int) {
	w.t.Helper()
	engine, err := fake.New(fake.Config{Dir: filepath.Join(w.dir, "fake")})
	if err != nil {
		w.t.Fatal(err)
	}
	defer engine.Close()
	list, err := engine.List(context.Background(), "w1")
	if err != nil {
		w.t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "attempts"))
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list), len(entries)
}
