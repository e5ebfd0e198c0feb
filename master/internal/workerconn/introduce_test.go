package workerconn

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

func TestIntroduce(t *testing.T) {
	w := &fakeWorker{}
	w.prove(testSecret, "")
	answer := w.register
	var got []*pb.MasterInfo
	w.register = func(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
		got = append(got, in)
		return answer(ctx, in)
	}
	startWorker(t, w)
	pool := newPool(t)
	for range 2 {
		hello, err := pool.Introduce(within(t, testTimeout), "w9", w.target().Address)
		if err != nil {
			t.Fatal(err)
		}
		// Another worker answers than was meant: that is an answer, not an error.
		want := cluster.Hello{WorkerID: "w1", Session: testSession, Version: "v1", Fingerprint: w.identity.Fingerprint}
		if hello != want {
			t.Errorf("got %+v, want %+v", hello, want)
		}
	}
	if len(got[0].Challenge) != transport.ChallengeSize || bytes.Equal(got[0].Challenge, got[1].Challenge) {
		t.Errorf("challenges %x and %x", got[0].Challenge, got[1].Challenge)
	}
	got[0].Challenge = nil
	want := &pb.MasterInfo{MasterId: "master-1", MasterAddress: "10.0.0.1:50051", ClusterId: "cluster-1", WorkerId: "w9"}
	if !proto.Equal(got[0], want) {
		t.Errorf("the worker was told %v, want %v", got[0], want)
	}
	if n := w.accepted.Load(); n != 2 {
		t.Errorf("%d connections for two calls", n)
	}
	eventually(t, "the connections are closed", func() bool { return w.open.Load() == 0 })
}

// Whoever does not know the token is not let in, whatever it answers.
func TestIntroduceToWhoDoesNotKnowTheToken(t *testing.T) {
	overheard := transport.Proof(testSecret, transport.NewChallenge(), "", "", "w1", testSession)
	for name, prepare := range map[string]func(*fakeWorker){
		"no proof":     func(*fakeWorker) {},
		"wrong secret": func(w *fakeWorker) { w.prove("another", "") },
		"no secret":    func(w *fakeWorker) { w.prove("", "") },
		// What a man in the middle gets out of the true worker.
		"relayed": func(w *fakeWorker) { w.prove(testSecret, transport.Fingerprint([]byte("the true worker"))) },
		"overheard": func(w *fakeWorker) {
			w.register = func(context.Context, *pb.MasterInfo) (*pb.RegisterAck, error) {
				return &pb.RegisterAck{WorkerId: "w1", Session: testSession, Proof: overheard}, nil
			}
		},
		"another id in the answer": func(w *fakeWorker) {
			w.prove(testSecret, "")
			answer := w.register
			w.register = func(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
				ack, err := answer(ctx, in)
				ack.WorkerId = "w2"
				return ack, err
			}
		},
		"another master's": func(w *fakeWorker) {
			w.register = func(context.Context, *pb.MasterInfo) (*pb.RegisterAck, error) {
				return nil, status.Error(codes.Unauthenticated, "not this worker's master")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &fakeWorker{}
			prepare(w)
			startWorker(t, w)
			address := w.target().Address
			_, err := newPool(t).Introduce(within(t, testTimeout), "w1", address)
			if !errors.Is(err, cluster.ErrDenied) || !strings.Contains(err.Error(), "whoever answers at "+address+" does not know the join token") {
				t.Errorf("error is %v, want %v", err, cluster.ErrDenied)
			}
		})
	}
}

// A master without a secret takes nobody's proof.
func TestIntroduceWithoutASecret(t *testing.T) {
	w := &fakeWorker{}
	w.prove("", "")
	startWorker(t, w)
	_, err := newPool(t, func(c *Config) { c.JoinSecret = "" }).Introduce(within(t, testTimeout), "w1", w.target().Address)
	if !errors.Is(err, cluster.ErrDenied) {
		t.Errorf("error is %v, want %v", err, cluster.ErrDenied)
	}
}

func TestIntroduceWithoutTLS(t *testing.T) {
	id, err := transport.PlaintextIdentity("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	w := &fakeWorker{identity: id}
	w.prove(testSecret, "")
	w.listen(t, "127.0.0.1:0")
	t.Cleanup(func() { w.stop(t) })
	hello, err := newPool(t, func(c *Config) { c.Identity = id }).Introduce(within(t, testTimeout), "w1", w.target().Address)
	if err != nil || hello.WorkerID != "w1" || hello.Fingerprint != "" {
		t.Errorf("got %+v, %v", hello, err)
	}
}

func TestIntroduceWhereNoWorkerAnswers(t *testing.T) {
	w := startWorker(t, &fakeWorker{})
	free := w.target().Address
	w.stop(t)
	keepPort(t, free) // from those that follow
	for name, c := range map[string]struct {
		address string
		timeout time.Duration
		is      error
		says    string
	}{
		"nothing":     {free, testTimeout, cluster.ErrConnRefused, "nothing listens at " + free},
		"silence":     {tcpServer(t, func(net.Conn) {}), 100 * time.Millisecond, context.DeadlineExceeded, "no answer from"},
		"hangs up":    {tcpServer(t, func(c net.Conn) { _ = c.Close() }), testTimeout, nil, "does not speak TLS as a worker does"},
		"no TLS":      {tcpServer(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }), testTimeout, nil, "does not speak TLS as a worker does"},
		"no worker":   {grpcServer(t), testTimeout, nil, "is no worker"},
		"no port":     {"127.0.0.1:99999", testTimeout, nil, "no connection to 127.0.0.1:99999"},
		"no address":  {"\x00", testTimeout, nil, ""},
		"busy worker": {busyWorker(t), testTimeout, nil, "starting up"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newPool(t).Introduce(within(t, c.timeout), "w1", c.address)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want %v and %q", err, c.is, c.says)
			}
			if errors.Is(err, cluster.ErrDenied) || c.is == nil && errors.Is(err, cluster.ErrConnRefused) {
				t.Errorf("error %v is taken for another", err)
			}
		})
	}
}

// tcpServer handles each connection by what, and closes it when the test ends.
func tcpServer(t *testing.T, what func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
			what(conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// grpcServer has the transport of ours and no service.
func grpcServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(transport.ServerOptions(newIdentity(t, "master"))...)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func busyWorker(t *testing.T) string {
	t.Helper()
	return startWorker(t, &fakeWorker{register: func(context.Context, *pb.MasterInfo) (*pb.RegisterAck, error) {
		return nil, status.Error(codes.Unavailable, "starting up")
	}}).target().Address
}

func TestIntroduceAfterClose(t *testing.T) {
	pool := newPool(t)
	pool.Close()
	if _, err := pool.Introduce(within(t, testTimeout), "w1", "127.0.0.1:1"); !errors.Is(err, errClosed) {
		t.Errorf("error is %v, want %v", err, errClosed)
	}
}

// A worker is told an address that it can use, at each kind of call.
func TestWorkersAreToldAnAddressOnTheirWay(t *testing.T) {
	var told string
	w := &fakeWorker{}
	w.prove(testSecret, "")
	answer := w.register
	w.register = func(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
		told = in.MasterAddress
		return answer(ctx, in)
	}
	startWorker(t, w)
	for configured, want := range map[string]string{
		"0.0.0.0:50051":        "127.0.0.1:50051",
		"[::]:50051":           "127.0.0.1:50051",
		":50051":               "127.0.0.1:50051",
		"10.0.0.1:50051":       "10.0.0.1:50051",
		"master.example:50051": "master.example:50051",
		"":                     "",
	} {
		pool := newPool(t, func(c *Config) { c.MasterAddress = configured })
		if _, err := pool.Hello(within(t, testTimeout), w.target()); err != nil || told != want {
			t.Errorf("%q: hello told %q, want %q; %v", configured, told, want, err)
		}
		told = "nothing"
		if _, err := pool.Introduce(within(t, testTimeout), "w1", w.target().Address); err != nil || told != want {
			t.Errorf("%q: introduce told %q, want %q; %v", configured, told, want, err)
		}
	}
	if got := seenFrom(t.Context(), "127.0.0.1:99999", "0.0.0.0:5"); got != "0.0.0.0:5" {
		t.Errorf("without a route: %q", got)
	}
	if got := seenFrom(t.Context(), "[::1]:7", "0.0.0.0:5"); got != "[::1]:5" && got != "0.0.0.0:5" { // no IPv6 here
		t.Errorf("over IPv6: %q", got)
	}
}
