package uplink

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func identity(t *testing.T, name string) transport.Identity {
	t.Helper()
	id, err := transport.LoadOrCreateIdentity(t.TempDir(), name)
	must(t, err)
	return id
}

// master answers every call with UNIMPLEMENTED, once the handshake is done.
func master(t *testing.T, id transport.Identity) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer(transport.ServerOptions(id)...)
	pb.RegisterMasterServer(s, pb.UnimplementedMasterServer{})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		must(t, <-done)
	})
	return l.Addr().String()
}

func writeToken(t *testing.T, path, fingerprint string) transport.JoinToken {
	t.Helper()
	token, err := transport.NewJoinToken(fingerprint)
	must(t, err)
	must(t, os.WriteFile(path, []byte(token.Encode()+"\n"), 0o600))
	return token
}

// A token that appears, or is replaced, while the worker waits is taken up.
func TestTokenIsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	id := identity(t, "master")
	u := New(Config{MasterAddr: master(t, id), TokenFile: file, Port: 5, Identity: identity(t, "worker")})
	defer u.Close()
	ctx := context.Background()
	if _, _, err := u.Connect(ctx); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without a token: %v", err)
	}
	must(t, os.WriteFile(file, []byte("cloudai1.cut"), 0o600))
	if _, _, err := u.Connect(ctx); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("with half a token: %v", err)
	}
	if u.Pinned() != "" {
		t.Errorf("pinned %q", u.Pinned())
	}

	writeToken(t, file, identity(t, "master").Fingerprint)
	client, _, err := u.Connect(ctx)
	must(t, err)
	_, err = client.RegisterWorker(ctx, &pb.WorkerInfo{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "not the expected one") {
		t.Errorf("another master answers: %v", err)
	}

	token := writeToken(t, file, id.Fingerprint)
	client, intro, err := u.Connect(ctx)
	must(t, err)
	if _, err := client.RegisterWorker(ctx, &pb.WorkerInfo{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("the right master: %v", err)
	}
	if intro.Secret != token.Secret || intro.Host != "127.0.0.1" || intro.Port != 5 || intro.Fingerprint != u.cfg.Identity.Fingerprint {
		t.Errorf("%+v", intro)
	}
	if u.Pinned() != id.Fingerprint {
		t.Errorf("pinned %q", u.Pinned())
	}
	conn := u.conn
	if _, _, err := u.Connect(ctx); err != nil || u.conn != conn {
		t.Errorf("a second connection for the same master: %v", err)
	}
}

func TestAdvertisedAddress(t *testing.T) {
	for _, c := range []struct {
		advertise, host string
		port            int
	}{
		{"", "127.0.0.1", 7},
		{"worker.example", "worker.example", 7},
		{"10.1.2.3:99", "10.1.2.3", 99},
		{"[::1]:99", "::1", 99},
	} {
		u := New(Config{MasterAddr: "127.0.0.1:1", Advertise: c.advertise, Port: 7})
		host, port, err := u.advertise(context.Background())
		if err != nil || host != c.host || port != c.port {
			t.Errorf("%q: %s %d, %v", c.advertise, host, port, err)
		}
	}
}
