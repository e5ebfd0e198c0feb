package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
)

// lines collects what is logged, without times and levels.
type lines struct{ all []string }

func (l *lines) Write(p []byte) (int, error) {
	_, text, _ := strings.Cut(strings.TrimSpace(string(p)), "msg=")
	l.all = append(l.all, text)
	return len(p), nil
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// want checks what was logged since the last call.
func (l *lines) want(t *testing.T, texts ...string) {
	t.Helper()
	if !slices.EqualFunc(l.all, texts, strings.Contains) {
		t.Errorf("logged %q, want %q", l.all, texts)
	}
	l.all = nil
}

func TestTroubleIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log := out.logger()
		var s saying
		if s.over() {
			t.Error("trouble before any")
		}
		for i := range 61 { // a minute, with two troubles that take turns
			s.say("away", fmt.Errorf("port %d", i), log.Warn)
			if i%2 == 1 {
				s.say("refused", errors.New("no"), log.Warn)
			}
			time.Sleep(time.Second)
		}
		out.want(t, "away error=\"port 0\"", "refused", "away error=\"port 30\"", "refused", "away error=\"port 60\"")
		s.say("away", errors.New("another reason"), log.Warn)
		out.want(t, "another reason")
		if !s.over() || s.over() {
			t.Error("the trouble is over once")
		}
		s.say("away", errors.New("another reason"), log.Warn)
		out.want(t, "another reason")
	})
}

func TestErrorsInWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, away := pb.NewMasterClient(conn).SendHeartbeat(t.Context(), &pb.Heartbeat{})
	for _, c := range []struct {
		err  error
		want string
	}{
		{away, "dial tcp " + addr + ": connect: connection refused"},
		{status.Error(codes.Unauthenticated, "join_secret: wrong"), "join_secret: wrong"},
		{status.Error(codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: pinned"`), "pinned"},
		{status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: EOF"`), "error reading server preface: EOF"},
		{io.EOF, "EOF"},
	} {
		if got := inWords(c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestMissingCallIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log := out.logger()
		var c callback
		beats := func(d time.Duration) {
			for range int(d / time.Second) {
				c.check(log)
				time.Sleep(time.Second)
			}
		}
		beats(time.Minute) // not registered
		out.want(t)
		c.registering("10.0.0.1", 50052)
		c.registered()
		beats(callPatience)
		out.want(t)
		beats(repeatEvery + time.Second)
		out.want(t, "no call at 10.0.0.1:50052", "no call at 10.0.0.1:50052")
		c.came(log)
		out.want(t, "the master has called back")
		c.came(log)
		beats(time.Minute)
		c.registering("10.0.0.1", 50052) // again, as after the master's restart
		c.registered()
		beats(time.Minute)
		out.want(t)
		c.registering("10.0.0.2", 50052)
		c.registered()
		beats(callPatience + time.Second)
		out.want(t, "no call at 10.0.0.2:50052")

		var prompt callback
		prompt.registering("10.0.0.1", 50052)
		prompt.came(log) // before the answer to the registration
		prompt.registered()
		time.Sleep(time.Minute)
		prompt.check(log)
		out.want(t)
	})
}
