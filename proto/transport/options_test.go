package transport

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"cloudai/proto/pb"
)

func upload(t testing.TB, client pb.MasterClient, total, chunk int) (*pb.FileUploadAck, error) {
	t.Helper()
	stream, err := client.UploadTaskFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, chunk)
	for sent := 0; sent < total; sent += chunk {
		if err := stream.Send(&pb.FileChunk{Data: data, Last: sent+chunk >= total}); err != nil {
			break // CloseAndRecv tells why
		}
	}
	return stream.CloseAndRecv()
}

func TestUpload(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	via := serve(t, &master{}, ServerOptions(server))
	const total = 8 << 20
	ack, err := upload(t, dial(t, inMemory, DialOptions(client, server.Fingerprint, via)), total, FileChunk)
	if err != nil {
		t.Fatal(err)
	}
	if file := ack.Files[0]; file.Received != total || !file.Complete {
		t.Errorf("received %v", file)
	}
}

func TestMessageLimit(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	lenient := grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(8*MaxMessage), grpc.MaxCallRecvMsgSize(8*MaxMessage))
	lenientServer := []grpc.ServerOption{grpc.MaxRecvMsgSize(8 * MaxMessage), grpc.MaxSendMsgSize(8 * MaxMessage)}
	for name, c := range map[string]struct {
		server []grpc.ServerOption
		dial   []grpc.DialOption
		chunk  int
		ack    int
		want   codes.Code
	}{
		"within":                   {nil, nil, MaxMessage - 1024, MaxMessage - 1024, codes.OK},
		"client sends too much":    {lenientServer, nil, MaxMessage, 0, codes.ResourceExhausted},
		"server receives too much": {nil, []grpc.DialOption{lenient}, MaxMessage, 0, codes.ResourceExhausted},
		"server sends too much":    {nil, []grpc.DialOption{lenient}, 1, MaxMessage, codes.ResourceExhausted},
		"client receives too much": {lenientServer, nil, 1, MaxMessage, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			m := &master{ackPath: strings.Repeat("x", c.ack)}
			via := serve(t, m, ServerOptions(server, c.server...))
			options := DialOptions(client, server.Fingerprint, append(c.dial, via)...)
			_, err := upload(t, dial(t, inMemory, options), c.chunk, c.chunk)
			if status.Code(err) != c.want {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if Reason(err) != "" {
				t.Errorf("reason %q: taken for a quota", Reason(err))
			}
		})
	}
}

// TestReturningPeerIsFound: a server that was away for a moment is called
// again long before gRPC's usual back-off.
func TestReturningPeerIsFound(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	stop := serveOn(t, listener, &master{}, ServerOptions(server))
	c := dial(t, addr, DialOptions(client, server.Fingerprint))
	if _, err := c.SendHeartbeat(t.Context(), &pb.Heartbeat{}); err != nil {
		t.Fatal(err)
	}
	stop()
	_, giveBack := keepPort(t, listener.Addr().(*net.TCPAddr).Port)
	if _, err := c.SendHeartbeat(t.Context(), &pb.Heartbeat{}); status.Code(err) != codes.Unavailable {
		t.Fatalf("error is %v while the server is away", err)
	}
	giveBack()
	if listener, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	serveOn(t, listener, &master{}, ServerOptions(server))
	ctx, cancel := context.WithTimeout(t.Context(), backoffMax)
	defer cancel()
	if _, err := c.SendHeartbeat(ctx, &pb.Heartbeat{}, grpc.WaitForReady(true)); err != nil {
		t.Errorf("not found again within %v: %v", backoffMax, err)
	}
}

// mute is a connection that swallows what is written to it once it is broken,
// as a network does that drops packets.
type mute struct {
	net.Conn
	broken *atomic.Bool
}

func (c mute) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestSilence runs an hour of silence, then a network that drops everything,
// on fake time.
func TestSilence(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var dials atomic.Int32
		listener := bufconn.Listen(1 << 20)
		serveOn(t, listener, &master{}, ServerOptions(server))
		via := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			dials.Add(1)
			conn, err := listener.DialContext(ctx)
			return mute{conn, &broken}, err
		})
		conn, err := grpc.NewClient(inMemory, DialOptions(client, server.Fingerprint, via)...)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := pb.NewMasterClient(conn)
		stream, err := c.UploadTaskFiles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := stream.Send(&pb.FileChunk{Last: true}); err != nil {
			t.Errorf("after an hour of silence: %v", err)
		}
		if _, err := stream.CloseAndRecv(); err != nil {
			t.Errorf("after an hour of silence: %v", err)
		}
		time.Sleep(time.Hour) // also without a stream
		if _, err := c.SendHeartbeat(t.Context(), &pb.Heartbeat{}); err != nil {
			t.Errorf("after another hour: %v", err)
		}
		if n := dials.Load(); n != 1 {
			t.Errorf("connected %d times", n)
		}

		broken.Store(true)
		since := time.Now()
		if _, err := c.SendHeartbeat(t.Context(), &pb.Heartbeat{}); status.Code(err) != codes.Unavailable {
			t.Errorf("error is %v on a dead connection", err)
		}
		if took := time.Since(since); took > pingEvery+pingTimeout+time.Second {
			t.Errorf("the dead connection was noticed after %v", took)
		}
	})
}

// BenchmarkUpload measures a file of 64 MiB over loopback.
func BenchmarkUpload(b *testing.B) {
	server, client := newIdentity(b, "master"), newIdentity(b, "worker")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	serveOn(b, listener, &master{}, ServerOptions(server))
	c := dial(b, listener.Addr().String(), DialOptions(client, server.Fingerprint))
	const total = 64 << 20
	b.SetBytes(total)
	for b.Loop() {
		if _, err := upload(b, c, total, FileChunk); err != nil {
			b.Fatal(err)
		}
	}
}
