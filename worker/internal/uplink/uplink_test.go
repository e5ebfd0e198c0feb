package uplink

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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
type master struct {
	addr string
	stop func()
}

func startMaster(t *testing.T, id transport.Identity, addr string) master {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	must(t, err)
	s := grpc.NewServer(transport.ServerOptions(id)...)
	pb.RegisterMasterServer(s, pb.UnimplementedMasterServer{})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			s.Stop()
			must(t, <-done)
		}
	}
	t.Cleanup(stop)
	return master{l.Addr().String(), stop}
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	addr, _ := keepPort(t)
	return addr
}

// keepPort keeps a port from others while nothing listens at it: the next one that
// is given to somebody may be this one.
func keepPort(t *testing.T) (addr string, giveBack func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, err)
	giveBack = sync.OnceFunc(func() { _ = syscall.Close(fd) })
	t.Cleanup(giveBack)
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(fd)
	must(t, err)
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port), giveBack
}

// silence is an address that takes connections and never says a word.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func writeToken(t *testing.T, path, fingerprint string) transport.JoinToken {
	t.Helper()
	token, err := transport.NewJoinToken(fingerprint)
	must(t, err)
	must(t, os.WriteFile(path, []byte(token.Encode()+"\n"), 0o600))
	return token
}

// start returns an uplink with a token for the master, until the test ends.
func start(t *testing.T, id transport.Identity, masterAddr string) *Uplink {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	writeToken(t, file, id.Fingerprint)
	u := New(Config{MasterAddr: masterAddr, TokenFile: file, Port: 5, Identity: identity(t, "worker")})
	t.Cleanup(func() { u.Close() })
	if u.Pinned() != id.Fingerprint {
		t.Fatalf("pinned %q", u.Pinned())
	}
	return u
}

// reaches has the uplink connect and make a call.
func (u *Uplink) reaches(t *testing.T, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	client, _, err := u.Connect(ctx)
	if err != nil {
		return err
	}
	if _, err = client.RegisterWorker(ctx, &pb.WorkerInfo{}); status.Code(err) != codes.Unimplemented {
		return err
	}
	return nil
}

const patience = 10 * time.Second

// A token that appears, or is replaced, while the worker waits is taken up.
func TestTokenIsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	id := identity(t, "master")
	u := New(Config{MasterAddr: startMaster(t, id, "127.0.0.1:0").addr, TokenFile: file, Port: 5, Identity: identity(t, "worker")})
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

	other := identity(t, "master")
	writeToken(t, file, other.Fingerprint)
	_, _, err := u.Connect(ctx)
	if err == nil || !strings.Contains(err.Error(), "another master answers") || !strings.Contains(err.Error(), other.Fingerprint) {
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
	way := u.way
	if _, _, err := u.Connect(ctx); err != nil || u.way != way {
		t.Errorf("a second connection for the same master: %v", err)
	}
}

// A master may call a worker that has never reached one, nor tried to.
func TestMasterIsPinnedAsSoonAsThereIsAToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	u := New(Config{MasterAddr: "127.0.0.1:99999", TokenFile: file, Identity: identity(t, "worker")})
	defer u.Close()
	if got := u.Pinned(); got != "" {
		t.Errorf("without a token: %q", got)
	}
	first, second := identity(t, "master").Fingerprint, identity(t, "master").Fingerprint
	writeToken(t, file, first)
	if got := u.Pinned(); got != first {
		t.Errorf("with a token: %q", got)
	}
	writeToken(t, file, second)
	if err := u.reaches(t, patience); err == nil {
		t.Error("connected")
	}
	if got := u.Pinned(); got != second {
		t.Errorf("with another token: %q", got)
	}
}

func TestNobodyAnswers(t *testing.T) {
	addr := nobody(t)
	err := start(t, identity(t, "master"), addr).reaches(t, patience)
	if err == nil || !strings.Contains(err.Error(), "no master answers") || !strings.Contains(err.Error(), addr) {
		t.Errorf("error is %v", err)
	}
}

// A worker that cannot reach MASTER_ADDR goes where the master that called it
// says that it is, at once.
func TestMasterThatHasCalledIsReached(t *testing.T) {
	for name, configured := range map[string]func(*testing.T) string{
		"nobody there":   nobody,
		"silence there":  silence,
		"another master": func(t *testing.T) string { return startMaster(t, identity(t, "other"), "127.0.0.1:0").addr },
		"no such port":   func(*testing.T) string { return "127.0.0.1:99999" },
	} {
		t.Run(name, func(t *testing.T) {
			id := identity(t, "master")
			u := start(t, id, configured(t))
			if err := u.reaches(t, 300*time.Millisecond); err == nil {
				t.Fatal("connected to nobody")
			}
			u.Called(startMaster(t, id, "127.0.0.1:0").addr)
			began := time.Now()
			if err := u.reaches(t, patience); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// While it waits for MASTER_ADDR to answer, too.
func TestMasterThatCallsMeanwhileIsReached(t *testing.T) {
	id := identity(t, "master")
	u := start(t, id, silence(t))
	m := startMaster(t, id, "127.0.0.1:0")
	reached := make(chan error, 1)
	go func() { reached <- u.reaches(t, patience) }()
	for waits := false; !waits; {
		u.mu.Lock()
		waits = u.way != nil
		u.mu.Unlock()
	}
	began := time.Now()
	u.Called(m.addr)
	if err := <-reached; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The connection stays where it is while it holds; when it breaks, all
// addresses are tried.
func TestConnectionStaysUntilItFails(t *testing.T) {
	id := identity(t, "master")
	configured, giveBack := keepPort(t)
	u := start(t, id, configured)
	told := startMaster(t, id, "127.0.0.1:0")
	u.Called(told.addr)
	must(t, u.reaches(t, patience))
	way, from := u.way, u.way.dialer.LocalAddr()
	giveBack()
	startMaster(t, id, configured)
	u.Called(told.addr)
	u.Called("127.0.0.1:1")
	u.Called(told.addr)
	must(t, u.reaches(t, patience))
	if u.way != way || u.way.dialer.LocalAddr() != from {
		t.Error("a sound connection was given up")
	}
	told.stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// As heartbeats do: on the same connection, without a new Connect. The first
	// one may still find the broken one.
	beats := pb.NewMasterClient(way.conn)
	var err error
	for range 2 {
		_, err = beats.SendHeartbeat(ctx, &pb.Heartbeat{}, grpc.WaitForReady(true))
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("at the other address: %v", err)
	}
}

func TestAddressesThatAreNotTaken(t *testing.T) {
	for _, address := range []string{
		"", "host", ":50051", "0.0.0.0:50051", "[::]:50051", "[::ffff:0.0.0.0]:1", "host:0", "host:", "host:x", "host:65536", "a:b:c",
	} {
		u := New(Config{MasterAddr: "m:1"})
		u.Called(address)
		if got := u.addressesLocked(); len(got) != 1 {
			t.Errorf("%q is taken: %q", address, got)
		}
	}
	u := New(Config{MasterAddr: "m:1"})
	u.Called("10.0.0.1:50051")
	u.Called("")
	if got := u.addressesLocked(); len(got) != 2 || got[0] != "m:1" || got[1] != "10.0.0.1:50051" {
		t.Errorf("addresses %q", got)
	}
	u.Called("m:1")
	if got := u.addressesLocked(); len(got) != 1 {
		t.Errorf("the same one twice: %q", got)
	}
	plaintext, err := transport.PlaintextIdentity("127.0.0.1:1")
	must(t, err)
	u = New(Config{MasterAddr: "127.0.0.1:1", Identity: plaintext})
	u.Called("127.0.0.1:2")
	if got := u.addressesLocked(); len(got) != 1 {
		t.Errorf("anybody's word is taken: %q", got)
	}
}

// What a master said goes with it.
func TestAnotherMastersAddressIsForgotten(t *testing.T) {
	u := start(t, identity(t, "master"), nobody(t))
	u.Called("10.0.0.1:50051")
	writeToken(t, u.cfg.TokenFile, identity(t, "master").Fingerprint)
	if err := u.reaches(t, patience); err == nil || strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("error is %v", err)
	}
	if u.told != "" {
		t.Errorf("told %q", u.told)
	}
}

func TestProof(t *testing.T) {
	master := identity(t, "master").Fingerprint
	file := filepath.Join(t.TempDir(), "token")
	worker := identity(t, "worker")
	u := New(Config{TokenFile: file, Identity: worker})
	challenge := transport.NewChallenge()
	if got := u.Prove(challenge, master, "w1", "s1"); got != nil {
		t.Errorf("without a token: %x", got)
	}
	for range 2 { // the token of the moment counts
		token := writeToken(t, file, master)
		want := transport.Proof(token.Secret, challenge, master, worker.Fingerprint, "w1", "s1")
		if got := u.Prove(challenge, master, "w1", "s1"); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
	}
	if got := u.Prove(challenge, worker.Fingerprint, "w1", "s1"); got != nil {
		t.Errorf("for another master: %x", got)
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
		host, port, err := u.advertise(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 44444})
		if err != nil || host != c.host || port != c.port {
			t.Errorf("%q: %s %d, %v", c.advertise, host, port, err)
		}
	}
	if _, _, err := New(Config{}).advertise(nil); err == nil {
		t.Error("an address out of nothing")
	}
}
