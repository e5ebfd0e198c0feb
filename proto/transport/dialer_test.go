package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"cloudai/proto/pb"
)

// listen serves id on loopback until the test ends.
func listen(t *testing.T, id Identity) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, &master{}, ServerOptions(id))
	return l.Addr().String()
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	addr, _ := keepPort(t, 0)
	return addr
}

// keepPort keeps a port, any one for 0, from others while nothing listens at it: the
// next one that is given to somebody may be this one.
func keepPort(t *testing.T, port int) (addr string, giveBack func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	giveBack = sync.OnceFunc(func() { _ = syscall.Close(fd) })
	t.Cleanup(giveBack)
	if port != 0 { // the connections of who listened there are not forgotten yet
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	at := syscall.Sockaddr(&syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	err = errors.Join(err, syscall.Bind(fd, at))
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port), giveBack
}

// silence is an address that takes connections and says nothing.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestUnpinnedCallTellsWhoAnswered(t *testing.T) {
	for name, c := range map[string]struct{ server, client Identity }{
		"with TLS":    {newIdentity(t, "worker"), newIdentity(t, "master")},
		"without TLS": {plaintextIdentity(t), plaintextIdentity(t)},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDialer(UnpinnedCredentials(c.client))
			var p peer.Peer
			ack, err := dial(t, listen(t, c.server), d.Options()).SendHeartbeat(t.Context(), &pb.Heartbeat{}, grpc.Peer(&p))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := FingerprintOf(&p)
			if got != c.server.Fingerprint || ok == c.server.Plaintext() {
				t.Errorf("the caller saw %q, %v", got, ok)
			}
			want := c.client.Fingerprint
			if c.client.Plaintext() {
				want = "absent"
			}
			if ack.ClusterId != want {
				t.Errorf("the handler saw %s", ack.ClusterId)
			}
		})
	}
}

func TestUnpinnedHandshakeStillNeedsTheKey(t *testing.T) {
	server, client := newIdentity(t, "worker"), newIdentity(t, "master")
	server.Certificate.PrivateKey = newIdentity(t, "thief").Certificate.PrivateKey
	serverErr, clientErr := handshake(t, ServerCredentials(server), withCredentials(t, UnpinnedCredentials(client)))
	checkError(t, "server", serverErr, "any")
	checkError(t, "client", clientErr, "tls: ")
}

func TestDialerTellsWhyThereIsNoConnection(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	pinned := ClientCredentials(client, server.Fingerprint)
	// All but the one that meets silence end by themselves, on a starved machine
	// late.
	const patience = 10 * time.Second
	call := func(t *testing.T, d *Dialer, addr string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := dial(t, addr, d.Options()).SendHeartbeat(ctx, &pb.Heartbeat{})
		return err
	}
	t.Run("nobody there", func(t *testing.T) {
		d, addr := NewDialer(pinned), nobody(t)
		if err := call(t, d, addr, patience); err == nil {
			t.Fatal("the call succeeded")
		}
		if err := d.Err(); !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), addr) {
			t.Errorf("error is %v", err)
		}
		if d.LocalAddr() != nil {
			t.Errorf("connected from %v", d.LocalAddr())
		}
	})
	t.Run("somebody else", func(t *testing.T) {
		d, other := NewDialer(pinned), newIdentity(t, "master")
		addr := listen(t, other)
		if err := call(t, d, addr, patience); err == nil {
			t.Fatal("the call succeeded")
		}
		var wrong *FingerprintError
		if err := d.Err(); !errors.As(err, &wrong) || wrong.Got != other.Fingerprint || !strings.HasPrefix(err.Error(), addr+": ") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("silence, and the caller gives up", func(t *testing.T) {
		d := NewDialer(pinned)
		if err := call(t, d, silence(t), 100*time.Millisecond); err == nil {
			t.Fatal("the call succeeded")
		}
		if err := d.Err(); err != nil {
			t.Errorf("the attempt still goes on, and the error is %v", err)
		}
	})
	t.Run("connected", func(t *testing.T) {
		d := NewDialer(pinned)
		d.fail(t.Context(), "10.0.0.1:1", errors.New("old"))
		if err := call(t, d, listen(t, server), patience); err != nil {
			t.Fatal(err)
		}
		if d.Err() != nil || d.LocalAddr() == nil || !strings.HasPrefix(d.LocalAddr().String(), "127.0.0.1:") {
			t.Errorf("error is %v, connected from %v", d.Err(), d.LocalAddr())
		}
	})
}

func TestAttemptsAreOneLineInOneOrder(t *testing.T) {
	d := NewDialer(nil)
	d.fail(t.Context(), "b:1", errors.New("b is away"))
	d.fail(t.Context(), "a:1", errors.New("a was away"))
	d.fail(t.Context(), "a:1", errors.New("a is away"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d.fail(gone, "c:1", errors.New("given up"))
	if got := d.Err().Error(); got != "a is away; b is away" {
		t.Errorf("got %q", got)
	}
}
