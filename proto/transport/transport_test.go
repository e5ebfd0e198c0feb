package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"cloudai/proto/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newIdentity makes an identity of its own folder.
func newIdentity(t testing.TB, name string) Identity {
	t.Helper()
	id, err := LoadOrCreateIdentity(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// plaintextIdentity is what TLS=off gives on one machine.
func plaintextIdentity(t testing.TB) Identity {
	t.Helper()
	id, err := PlaintextIdentity("127.0.0.1:50051", "localhost:50052")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// master answers with what it saw of its caller.
type master struct {
	pb.UnimplementedMasterServer
	// ackPath, when set, is the path in the answer to an upload.
	ackPath string
}

// SendHeartbeat returns the caller's fingerprint as the cluster id.
func (m *master) SendHeartbeat(ctx context.Context, _ *pb.Heartbeat) (*pb.HeartbeatAck, error) {
	fingerprint, ok := PeerFingerprint(ctx)
	if !ok {
		fingerprint = "absent"
	}
	return &pb.HeartbeatAck{ClusterId: fingerprint}, nil
}

// UploadTaskFiles counts what it receives.
func (m *master) UploadTaskFiles(stream grpc.ClientStreamingServer[pb.FileChunk, pb.FileUploadAck]) error {
	file := &pb.UploadedFile{Path: m.ackPath}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&pb.FileUploadAck{Files: []*pb.UploadedFile{file}})
		}
		if err != nil {
			return err
		}
		file.Received += int64(len(chunk.Data))
		file.Complete = chunk.Last
	}
}

// serve serves m in memory until the test ends and returns how to dial it.
func serve(t testing.TB, m *master, options []grpc.ServerOption) grpc.DialOption {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	serveOn(t, listener, m, options)
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	})
}

// serveOn serves m on the listener until stop is called or the test ends.
func serveOn(t testing.TB, listener net.Listener, m *master, options []grpc.ServerOption) (stop func()) {
	t.Helper()
	server := grpc.NewServer(options...)
	pb.RegisterMasterServer(server, m)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// dial returns a client that is closed when the test ends.
func dial(t testing.TB, target string, options []grpc.DialOption) pb.MasterClient {
	t.Helper()
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the connection: %v", err)
		}
	})
	return pb.NewMasterClient(conn)
}

// inMemory is the target of clients that dial what serve returned.
const inMemory = "passthrough:///memory"
