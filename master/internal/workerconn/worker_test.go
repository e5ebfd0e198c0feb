package workerconn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testSession = "session-1"
	testTimeout = 10 * time.Second
)

// fakeWorker is a worker's edge on loopback, with the real transport. Its
// functions stand for the agent; nil ones answer at once and well.
type fakeWorker struct {
	pb.UnimplementedWorkerServer
	identity transport.Identity
	listener net.Listener
	server   *grpc.Server
	done     chan error

	register func(context.Context, *pb.MasterInfo) (*pb.RegisterAck, error)
	assign   func(context.Context, *pb.Task) (*pb.TaskAck, error)
	cancel   func(context.Context, *pb.TaskID) (*pb.TaskAck, error)
	logs     func(*pb.TaskLogRequest, grpc.ServerStreamingServer[pb.LogChunk]) error

	accepted atomic.Int32 // connections so far
	open     atomic.Int32 // connections now
	callers  sync.Map     // fingerprints seen
}

func (w *fakeWorker) MasterRegister(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
	w.note(ctx)
	if w.register == nil {
		return &pb.RegisterAck{WorkerId: "w1", Session: testSession, Version: "v1"}, nil
	}
	return w.register(ctx, in)
}

// prove makes the worker answer a challenge as one that knows the secret, under
// its own fingerprint or the one given.
func (w *fakeWorker) prove(secret, fingerprint string) {
	w.register = func(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
		caller, _ := transport.PeerFingerprint(ctx)
		own := w.identity.Fingerprint
		if fingerprint != "" {
			own = fingerprint
		}
		return &pb.RegisterAck{
			WorkerId: "w1", Session: testSession, Version: "v1",
			Proof: transport.Proof(secret, in.Challenge, caller, own, "w1", testSession),
		}, nil
	}
}

func (w *fakeWorker) AssignTask(ctx context.Context, in *pb.Task) (*pb.TaskAck, error) {
	w.note(ctx)
	if w.assign == nil {
		return &pb.TaskAck{Session: testSession}, nil
	}
	return w.assign(ctx, in)
}

func (w *fakeWorker) CancelTask(ctx context.Context, in *pb.TaskID) (*pb.TaskAck, error) {
	w.note(ctx)
	if w.cancel == nil {
		return &pb.TaskAck{Session: testSession}, nil
	}
	return w.cancel(ctx, in)
}

func (w *fakeWorker) StreamTaskLogs(in *pb.TaskLogRequest, out grpc.ServerStreamingServer[pb.LogChunk]) error {
	w.note(out.Context())
	return w.logs(in, out)
}

func (w *fakeWorker) note(ctx context.Context) {
	fingerprint, _ := transport.PeerFingerprint(ctx)
	w.callers.Store(fingerprint, true)
}

// countedListener counts the connections that it accepts.
type countedListener struct {
	net.Listener
	worker *fakeWorker
}

type countedConn struct {
	net.Conn
	worker *fakeWorker
	once   sync.Once
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.worker.accepted.Add(1)
	l.worker.open.Add(1)
	return &countedConn{Conn: conn, worker: l.worker}, nil
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.worker.open.Add(-1) })
	return c.Conn.Close()
}

// startWorker listens on a free port of loopback until the test ends.
func startWorker(t *testing.T, w *fakeWorker) *fakeWorker {
	t.Helper()
	w.identity = newIdentity(t, "worker")
	w.listen(t, "127.0.0.1:0")
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *fakeWorker) listen(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	w.listener = listener
	w.server = grpc.NewServer(transport.ServerOptions(w.identity)...)
	pb.RegisterWorkerServer(w.server, w)
	w.done = make(chan error, 1)
	go func(server *grpc.Server, done chan<- error) {
		done <- server.Serve(countedListener{listener, w})
	}(w.server, w.done)
}

// keepPort keeps a port from others while nothing listens at it: the next one that
// is given to somebody may be this one.
func keepPort(t *testing.T, addr string) (giveBack func()) {
	t.Helper()
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	giveBack = sync.OnceFunc(func() { _ = syscall.Close(fd) })
	t.Cleanup(giveBack)
	// The connections of who listened there are not forgotten yet.
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
	if err != nil {
		t.Fatal(err)
	}
	return giveBack
}

func (w *fakeWorker) stop(t *testing.T) {
	t.Helper()
	if w.server == nil {
		return
	}
	w.server.Stop()
	if err := <-w.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		t.Errorf("serve: %v", err)
	}
	w.server = nil
}

func (w *fakeWorker) target() cluster.Target {
	return cluster.Target{
		WorkerID: "w1", Session: testSession,
		Address: w.listener.Addr().String(), Fingerprint: w.identity.Fingerprint,
	}
}

func newIdentity(t *testing.T, name string) transport.Identity {
	t.Helper()
	id, err := transport.LoadOrCreateIdentity(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const testSecret = "the join secret"

// newPool returns a pool that is closed when the test ends.
func newPool(t *testing.T, changes ...func(*Config)) *Pool {
	t.Helper()
	config := Config{
		Identity: newIdentity(t, "master"), ClusterID: "cluster-1", MasterID: "master-1", MasterAddress: "10.0.0.1:50051",
		JoinSecret: testSecret,
	}
	for _, change := range changes {
		change(&config)
	}
	pool := New(config)
	t.Cleanup(pool.Close)
	return pool
}

// within bounds a call; a test that takes so long has failed.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(testTimeout)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", testTimeout, what)
		}
	}
}

func order(task string) cluster.Order {
	return cluster.Order{Ref: cluster.AttemptRef{TaskID: cluster.TaskID(task), Attempt: 1, Lease: "l1"}}
}
