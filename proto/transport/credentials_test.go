package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
)

func TestPinnedCall(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	via := serve(t, &master{}, ServerOptions(server))

	t.Run("right pin", func(t *testing.T) {
		ack, err := dial(t, inMemory, DialOptions(client, server.Fingerprint, via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
		if err != nil {
			t.Fatal(err)
		}
		if ack.ClusterId != client.Fingerprint {
			t.Errorf("the handler saw %s, the client is %s", ack.ClusterId, client.Fingerprint)
		}
	})
	t.Run("wrong pin", func(t *testing.T) {
		_, err := dial(t, inMemory, DialOptions(client, fingerprintA, via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
		checkUnavailable(t, err, fingerprintA, server.Fingerprint)
	})
	t.Run("no pin", func(t *testing.T) {
		_, err := dial(t, inMemory, DialOptions(client, "", via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
		checkUnavailable(t, err, "not a fingerprint")
	})
	t.Run("no client certificate", func(t *testing.T) {
		_, err := dial(t, inMemory, DialOptions(Identity{}, server.Fingerprint, via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
		checkUnavailable(t, err)
	})
	t.Run("no TLS", func(t *testing.T) {
		_, err := dial(t, inMemory, DialOptions(plaintextIdentity(t), "", via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
		checkUnavailable(t, err)
	})
}

func TestServerWithoutIdentityServesNobody(t *testing.T) {
	client := newIdentity(t, "worker")
	via := serve(t, &master{}, ServerOptions(Identity{}))
	_, err := dial(t, inMemory, DialOptions(client, fingerprintA, via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
	checkUnavailable(t, err)
	_, err = dial(t, inMemory, DialOptions(plaintextIdentity(t), "", via)).SendHeartbeat(t.Context(), &pb.Heartbeat{})
	checkUnavailable(t, err)
}

func checkUnavailable(t *testing.T, err error, words ...string) {
	t.Helper()
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("error is %v, want Unavailable", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
}

// handshake connects both sides over loopback and returns their errors. The
// client's includes that of its first read, which is where TLS 1.3 tells a
// client that it was refused.
func handshake(t *testing.T, server credentials.TransportCredentials, client func(net.Conn) (net.Conn, error)) (serverErr, clientErr error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- acceptOne(listener, server) }()
	clientErr = connectOne(listener.Addr().String(), client)
	serverErr = <-done
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	return serverErr, clientErr
}

const handshakeDeadline = 10 * time.Second

func acceptOne(listener net.Listener, server credentials.TransportCredentials) error {
	raw, err := listener.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(handshakeDeadline)); err != nil {
		return err
	}
	conn, _, err := server.ServerHandshake(raw)
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("x"))
	return err
}

func connectOne(addr string, client func(net.Conn) (net.Conn, error)) error {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(handshakeDeadline)); err != nil {
		return err
	}
	conn, err := client(raw)
	if err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// withCredentials is a client as gRPC would run it.
func withCredentials(t *testing.T, creds credentials.TransportCredentials) func(net.Conn) (net.Conn, error) {
	return func(raw net.Conn) (net.Conn, error) {
		conn, _, err := creds.ClientHandshake(t.Context(), "master.example:50051", raw)
		return conn, err
	}
}

// withConfig is a client with a TLS stack of its own.
func withConfig(config *tls.Config) func(net.Conn) (net.Conn, error) {
	config.InsecureSkipVerify = true
	config.NextProtos = []string{"h2"}
	return func(raw net.Conn) (net.Conn, error) {
		conn := tls.Client(raw, config)
		return conn, conn.Handshake()
	}
}

// speaksClearly is a client without TLS.
func speaksClearly(raw net.Conn) (net.Conn, error) {
	_, err := raw.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	return raw, err
}

func TestHandshake(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	thief := newIdentity(t, "thief")
	expiredServer, expiredClient := expiredIdentity(t), expiredIdentity(t)
	// stolen presents a certificate of which it lacks the key.
	stolen := func(id Identity) Identity {
		id.Certificate.PrivateKey = thief.Certificate.PrivateKey
		return id
	}
	clientOf := func(id Identity, pinned string) func(net.Conn) (net.Conn, error) {
		return withCredentials(t, ClientCredentials(id, pinned))
	}
	own := []tls.Certificate{client.Certificate}
	for name, c := range map[string]struct {
		server    Identity
		client    func(net.Conn) (net.Conn, error)
		serverErr string // "" is no error, "any" is any
		clientErr string
	}{
		"right":                      {server, clientOf(client, server.Fingerprint), "", ""},
		"own TLS stack":              {server, withConfig(&tls.Config{Certificates: own}), "", ""},
		"expired server":             {expiredServer, clientOf(client, expiredServer.Fingerprint), "", ""},
		"expired client":             {server, clientOf(expiredClient, server.Fingerprint), "", ""},
		"wrong pin":                  {server, clientOf(client, thief.Fingerprint), "any", "pinned is " + thief.Fingerprint},
		"server without its key":     {stolen(server), clientOf(client, server.Fingerprint), "any", "tls: "},
		"client without its key":     {server, clientOf(stolen(client), server.Fingerprint), "tls: ", "any"},
		"no client certificate":      {server, withConfig(&tls.Config{}), "didn't provide a certificate", "certificate required"},
		"client of TLS 1.2":          {server, withConfig(&tls.Config{Certificates: own, MaxVersion: tls.VersionTLS12}), "unsupported versions", "protocol version"},
		"client that speaks clearly": {server, speaksClearly, "does not look like a TLS handshake", "any"},
	} {
		t.Run(name, func(t *testing.T) {
			serverErr, clientErr := handshake(t, ServerCredentials(c.server), c.client)
			checkError(t, "server", serverErr, c.serverErr)
			checkError(t, "client", clientErr, c.clientErr)
		})
	}
}

func checkError(t *testing.T, side string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", side, err)
	case want != "" && err == nil:
		t.Errorf("%s: no error", side)
	case want != "" && want != "any" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: error %q lacks %q", side, err, want)
	}
}

func TestServerOfTLS12IsRefused(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	old := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{server.Certificate}, MaxVersion: tls.VersionTLS12})
	_, clientErr := handshake(t, old, withCredentials(t, ClientCredentials(client, server.Fingerprint)))
	checkError(t, "client", clientErr, "protocol version")
}

func TestWrongPinIsATypedError(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	_, err := handshake(t, ServerCredentials(server), withCredentials(t, ClientCredentials(client, fingerprintA)))
	var wrong *FingerprintError
	if !errors.As(err, &wrong) || wrong.Want != fingerprintA || wrong.Got != server.Fingerprint {
		t.Errorf("error is %#v", err)
	}
}

// expiredIdentity has a certificate that ended long ago.
func expiredIdentity(t *testing.T) Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     time.Now().Add(-time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, Fingerprint: Fingerprint(der)}
}

func TestPeerFingerprintOutsideACall(t *testing.T) {
	if got, ok := PeerFingerprint(t.Context()); ok || got != "" {
		t.Errorf("got %q, %v", got, ok)
	}
}

// TestCloneKeepsThePin: gRPC clones credentials as it likes.
func TestCloneKeepsThePin(t *testing.T) {
	server, client := newIdentity(t, "master"), newIdentity(t, "worker")
	clone := ClientCredentials(client, fingerprintA).Clone()
	_, err := handshake(t, ServerCredentials(server).Clone(), withCredentials(t, clone))
	checkError(t, "client", err, fingerprintA)
}
