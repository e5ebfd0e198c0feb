package netport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTakenAddressIsNamedWithItsOwner(t *testing.T) {
	for _, c := range []struct{ taken, wanted string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"127.0.0.1:0", "0.0.0.0"}, {"127.0.0.1:0", ""}, {"0.0.0.0:0", "127.0.0.1"}, {"127.0.0.1:0", "localhost"},
	} {
		l, err := net.Listen("tcp", c.taken)
		if err != nil {
			t.Fatal(err)
		}
		addr := net.JoinHostPort(c.wanted, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
		_, err = ListenTCP(t.Context(), "HTTP_ADDR", "--http-addr", addr)
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("%v: error is %v", c, err)
		}
		name := filepath.Base(os.Args[0])
		want := fmt.Sprintf("HTTP_ADDR %s is in use by %s (process %d); stop it, or choose another address with --http-addr", addr, name, os.Getpid())
		if err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOwnerThatIsNotKnown(t *testing.T) {
	taken := &TakenError{Setting: "GRPC_ADDR", Flag: "--grpc-addr", Addr: ":50051"}
	if want := "GRPC_ADDR :50051 is in use by another program; stop it, or choose another address with --grpc-addr"; taken.Error() != want {
		t.Errorf("error is %v", taken)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{free.Addr().String(), "127.0.0.1:99999", "x"} {
		if got := owner(t.Context(), addr); got != "" {
			t.Errorf("%s: %q", addr, got)
		}
	}
}

func TestErrorsNameTheSetting(t *testing.T) {
	for _, addr := range []string{"203.0.113.7:50051", "127.0.0.1:99999", "x", "127.0.0.1:x"} {
		_, err := ListenTCP(t.Context(), "GRPC_ADDR", "--grpc-addr", addr)
		if err == nil || !strings.HasPrefix(err.Error(), "GRPC_ADDR "+addr+": ") {
			t.Errorf("%s: error is %v", addr, err)
		}
	}
}

func TestFreeAddress(t *testing.T) {
	l, err := ListenTCP(t.Context(), "HTTP_ADDR", "--http-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAddressesThatCollide(t *testing.T) {
	for _, c := range []struct {
		listens, wanted string
		want            bool
	}{
		{"0.0.0.0", "127.0.0.1", true},
		{"::", "127.0.0.1", true},
		{"*", "127.0.0.1", true},
		{"127.0.0.1", "", true},
		{"127.0.0.1", "::", true},
		{"127.0.0.1", "127.0.0.1", true},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"::1", "127.0.0.1", false},
	} {
		if got := collide(c.listens, net.ParseIP(c.wanted)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
