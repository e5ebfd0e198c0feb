package transport

import (
	"context"
	"net"
	"strings"
	"testing"

	"cloudai/proto/pb"
)

func TestCheckLoopback(t *testing.T) {
	for _, addr := range []string{
		"127.0.0.1:50051", "127.8.9.10:1", "localhost:50051", "LOCALHOST:1", "[::1]:50051", "[::ffff:127.0.0.1]:1",
		"127.0.0.1", "::1", "[::1]", "localhost", "unix:/run/master.sock",
	} {
		if err := CheckLoopback("localhost:1", addr); err != nil {
			t.Errorf("%q: %v", addr, err)
		}
	}
	for _, addr := range []string{
		"", ":50051", "0.0.0.0:50051", "[::]:50051", "192.168.1.2:1", "10.0.0.1", "128.0.0.1:1", "[fe80::1%lo]:1",
		"example.com:1", "localhost.example.com:1", "127.0.0.1.example.com:1", "localhost.:1", "a:b:c", "*:1",
	} {
		err := CheckLoopback("localhost:1", addr, "127.0.0.1:2")
		if err == nil || !strings.Contains(err.Error(), `"`+addr+`"`) {
			t.Errorf("%q: error is %v, must name it", addr, err)
		}
	}
}

func TestPlaintextIdentityNeedsLoopback(t *testing.T) {
	if _, err := PlaintextIdentity(); err == nil {
		t.Error("no address was enough")
	}
	id, err := PlaintextIdentity("127.0.0.1:1", "0.0.0.0:2")
	if err == nil || !strings.Contains(err.Error(), "0.0.0.0:2") {
		t.Errorf("error is %v, must name 0.0.0.0:2", err)
	}
	if id.Plaintext() {
		t.Error("an identity beside the error")
	}
}

func TestPlaintextCall(t *testing.T) {
	id := plaintextIdentity(t)
	via := serve(t, &master{}, ServerOptions(id))
	ack, err := dial(t, inMemory, DialOptions(id, "", via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
	if err != nil {
		t.Fatal(err)
	}
	if ack.ClusterId != "absent" {
		t.Errorf("the handler saw the fingerprint %s", ack.ClusterId)
	}
}

func TestPlaintextServerRefusesTLS(t *testing.T) {
	client := newIdentity(t, "worker")
	via := serve(t, &master{}, ServerOptions(plaintextIdentity(t)))
	_, err := dial(t, inMemory, DialOptions(client, fingerprintA, via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
	checkUnavailable(t, err)
}

func TestPlaintextHandshakeOverLoopback(t *testing.T) {
	id := plaintextIdentity(t)
	serverErr, clientErr := handshake(t, ServerCredentials(id), withCredentials(t, ClientCredentials(id, "")))
	if serverErr != nil || clientErr != nil {
		t.Errorf("server %v, client %v", serverErr, clientErr)
	}
}

// farConn is a connection that ends at another machine.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 50052} }

func TestPlaintextConnectionBeyondLoopbackIsRefused(t *testing.T) {
	id := plaintextIdentity(t)
	for _, creds := range []struct {
		name string
		do   func() error
	}{
		{"server", func() error {
			_, _, err := ServerCredentials(id).Clone().ServerHandshake(farConn{})
			return err
		}},
		{"client", func() error {
			_, _, err := ClientCredentials(id, "").Clone().ClientHandshake(context.Background(), "", farConn{})
			return err
		}},
	} {
		if err := creds.do(); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
			t.Errorf("%s: error is %v, must name 192.0.2.1", creds.name, err)
		}
	}
}
