package crowd

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room is a door with a crowd, and its guests.
type room struct {
	*Crowd
	t    *testing.T
	l    net.Listener
	held []net.Conn // on the server's side, in the order of their coming
}

func open(t *testing.T, cfg Config) *room {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &room{Crowd: New(cfg), t: t}
	r.l = r.Listen(l)
	t.Cleanup(func() {
		for _, conn := range r.held {
			_ = conn.Close()
		}
		_ = r.l.Close()
	})
	return r
}

// knock connects from outside.
func (r *room) knock() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.l.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// enter connects and is let in.
func (r *room) enter() net.Conn {
	r.t.Helper()
	outside := r.knock()
	inside, err := r.l.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.held = append(r.held, inside)
	return outside
}

// stays reports whether a connection is open.
func (r *room) stays(conn net.Conn) bool { return r.silent(conn, 50*time.Millisecond) }

// gone reports whether a connection was closed. It waits for that: one that is
// looked at too late passes for open, however long it has been closed.
func (r *room) gone(conn net.Conn) bool { return !r.silent(conn, 10*time.Second) }

// silent reports whether nothing comes from a connection within the time, not even
// its end.
func (r *room) silent(conn net.Conn, within time.Duration) bool {
	r.t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		r.t.Fatal(err)
	}
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func (r *room) want(all, quiet int) {
	r.t.Helper()
	if a, q := r.Size(); a != all || q != quiet {
		r.t.Errorf("%d connections, %d quiet; want %d and %d", a, q, all, quiet)
	}
}

// Whoever has been quiet for the longest time makes room.
func TestTheQuietGo(t *testing.T) {
	r := open(t, Config{Quiet: 2, All: 3})
	a, b := r.enter(), r.enter()
	r.want(2, 2)
	r.Busy(a.LocalAddr().String())
	c := r.enter()
	r.want(3, 2)
	d := r.enter() // the fourth: b goes
	r.want(3, 2)
	for name, conn := range map[string]net.Conn{"a": a, "c": c, "d": d} {
		if !r.stays(conn) {
			t.Errorf("%s is gone", name)
		}
	}
	if !r.gone(b) {
		t.Error("b stays")
	}
	r.Quiet(a.LocalAddr().String()) // now three are, and c is the first of them
	if r.want(2, 2); !r.gone(c) || !r.stays(a) || !r.stays(d) {
		t.Error("not the one that was quiet longest went")
	}
	r.Quiet(a.LocalAddr().String())
	r.Busy("nobody")
	r.want(2, 2)
	for _, conn := range r.held {
		_ = conn.Close()
		_ = conn.Close()
	}
	r.want(0, 0)
}

// Where all are busy the next one hears why not, and the door stays open.
func TestAllAreBusy(t *testing.T) {
	r := open(t, Config{Quiet: 2, All: 2, Refusal: []byte("come later")})
	for range 2 {
		r.Busy(r.enter().LocalAddr().String())
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := r.l.Accept()
		accepted <- conn
	}()
	refused := r.knock()
	if words, err := io.ReadAll(refused); err != nil || string(words) != "come later" {
		t.Errorf("%q, %v", words, err)
	}
	r.want(2, 0)
	_ = r.held[0].Close()
	late := r.knock()
	r.held = append(r.held, <-accepted)
	if r.want(2, 1); !r.stays(late) {
		t.Error("there was room")
	}
}

// F27: two thousand come and say nothing.
func TestF27AFloodPushesItselfOut(t *testing.T) {
	r := open(t, Config{Quiet: 50, All: 60})
	host := r.enter()
	r.Busy(host.LocalAddr().String())
	var last []net.Conn
	for range 2_000 {
		conn := r.enter()
		r.held = r.held[max(0, len(r.held)-100):]
		if last = append(last, conn); len(last) > 50 {
			_ = last[0].Close()
			last = last[1:]
		}
	}
	r.want(51, 50)
	if !r.stays(host) || slices.ContainsFunc(last[:3], func(c net.Conn) bool { return !r.stays(c) }) {
		t.Error("the wrong ones went")
	}
}
