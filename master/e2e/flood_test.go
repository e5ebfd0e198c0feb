//go:build engine

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// resident is the memory that a process has of the machine, in MiB.
func resident(t *testing.T, p *rig.Process) int {
	t.Helper()
	said, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	must(t, err)
	_, rest, found := bytes.Cut(said, []byte("VmRSS:"))
	if !found {
		t.Fatalf("no VmRSS in %s", said)
	}
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	must(t, err)
	return kib >> 10
}

// descriptors is how many files and connections a process has open.
func descriptors(t *testing.T, p *rig.Process) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	must(t, err)
	return len(open)
}

// bystander is an ordinary client over TCP that calls again and again while
// something else happens to the master.
type bystander struct {
	stop    context.CancelFunc
	done    sync.WaitGroup
	served  atomic.Int64
	refused atomic.Int64 // told to come later
	slowest atomic.Int64 // nanoseconds
	wrong   atomic.Pointer[error]
}

// watch begins to call, each time on a new connection: a client that comes
// fresh. A broken connection is tried once more, as clients do.
func (w *world) watch(t *testing.T, p person) *bystander {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	b := &bystander{stop: stop}
	one := func() (int, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/tasks?limit=1", nil)
		if err != nil {
			return 0, err
		}
		name, value, _ := strings.Cut(p.bearer, ": ")
		request.Header.Set(name, value)
		request.Close = true
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		answer, err := transport.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode, errors.Join(err, answer.Body.Close())
	}
	b.done.Go(func() {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for ctx.Err() == nil {
			<-pace.C
			began := time.Now()
			status, err := one()
			if err != nil && ctx.Err() == nil {
				status, err = one()
			}
			if ctx.Err() != nil {
				return
			}
			took := int64(time.Since(began))
			for slowest := b.slowest.Load(); took > slowest && !b.slowest.CompareAndSwap(slowest, took); slowest = b.slowest.Load() {
			}
			switch {
			case err == nil && status == http.StatusOK:
				b.served.Add(1)
			case err == nil && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests):
				b.refused.Add(1)
			default:
				err = fmt.Errorf("status %d: %w", status, err)
				b.wrong.Store(&err)
			}
		}
	})
	return b
}

// end stops calling and judges.
func (b *bystander) end(t *testing.T, least int64, slowest time.Duration) {
	t.Helper()
	b.stop()
	b.done.Wait()
	if err := b.wrong.Load(); err != nil {
		t.Errorf("another client: %v", *err)
	}
	took := time.Duration(b.slowest.Load())
	if b.served.Load() < least || took > slowest {
		t.Errorf("another client was served %d times, refused %d times; the slowest answer took %s", b.served.Load(), b.refused.Load(), took)
	}
	t.Logf("another client: served %d times, told to come later %d times, slowest %s", b.served.Load(), b.refused.Load(), took)
}

// F23: a thousand clients that dawdle, fall silent in the middle or never read.
// They are cut off in time, memory stays flat, and others do not notice.
func TestF23SlowAndHalfOpenClients(t *testing.T) {
	t.Parallel() // it mostly waits
	w := newWorld(t)
	w.fakeWorker(t, "w1")
	ann := w.register(t, "ann")
	memory, files := resident(t, w.Master), descriptors(t, w.Master)
	b := w.watch(t, ann)
	const (
		headerLimit = 10 * time.Second // of the master, for a request's header
		bodyLimit   = 30 * time.Second // and for its body, and each piece of an answer
		slack       = 8 * time.Second
	)
	kinds := []struct {
		name  string
		first string        // sent at once
		then  string        // sent again and again, every second
		limit time.Duration // after which the master must have hung up
	}{
		{"silent", "", "", headerLimit},
		{"slow header", "GET /health HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", headerLimit},
		{"half a header", "POST /api/auth/login HT", "", headerLimit},
		{"slow body", "POST /api/tasks HTTP/1.1\r\nHost: x\r\n" + ann.bearer + "\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", " ", bodyLimit},
		{"slow chunks", "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n", bodyLimit},
		{"never reads", strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 200), "", bodyLimit},
	}
	const each = 170
	var wg sync.WaitGroup
	var late atomic.Int64
	began := time.Now()
	for _, kind := range kinds {
		for range each {
			conn, err := net.Dial("tcp", w.HTTP())
			must(t, err)
			t.Cleanup(func() { conn.Close() })
			_, err = io.WriteString(conn, kind.first)
			must(t, err)
			wg.Go(func() {
				if err := dawdle(conn, kind.name == "never reads", kind.then, kind.limit+slack); err != nil && late.Add(1) < 5 {
					t.Errorf("%s, after %s: %v", kind.name, time.Since(began), err)
				}
			})
		}
	}
	most := 0
	for finished := done(&wg); most == 0 || !closed(finished); {
		most = max(most, resident(t, w.Master))
		w.succeeded(t, w.submit(t, w.small("")))
		waitFor(finished, 500*time.Millisecond)
	}
	if grown := most - memory; grown > 96 {
		t.Errorf("the master grew by %d MiB", grown)
	}
	b.end(t, 50, 3*time.Second)
	await(t, 20*time.Second, func(context.Context) error {
		if now := descriptors(t, w.Master); now > files+30 {
			return fmt.Errorf("%d descriptors are open, %d were before", now, files)
		}
		return nil
	})
	t.Logf("%d slow clients: memory %d to %d MiB, all cut off after %s", each*len(kinds), memory, most, time.Since(began))
}

// dawdle sends a little every second until the other end hangs up.
func dawdle(conn net.Conn, deaf bool, more string, limit time.Duration) error {
	defer conn.Close()
	end := time.Now().Add(limit)
	answer := make([]byte, 4096)
	for {
		if time.Now().After(end) {
			return errors.New("it is still open")
		}
		if deaf { // it does not read; that it was cut off shows in the master's descriptors
			if waited := time.Until(end); waited > 0 {
				time.Sleep(waited)
			}
			return nil
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // it may be closed
		_, err := conn.Read(answer)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // as it should
		}
		if _, err := io.WriteString(conn, more); err != nil {
			return nil
		}
	}
}

func done(wg *sync.WaitGroup) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		wg.Wait()
		close(c)
	}()
	return c
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func waitFor(c <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	}
}

// most10k is ten thousand, or as many connections as this process may have.
func most10k(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	n := 10_000
	if room := int(limit.Cur) - 500; room < n {
		t.Logf("only %d connections: this process may have %d files", room, limit.Cur)
		n = room
	}
	return n
}

// F27: ten thousand connections to each of the master's doors. Their number is
// bounded, others are served or told to come later, and when it is over all is
// as before.
func TestF27TenThousandConnections(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=5s")
	w.fakeWorker(t, "w1")
	ann := w.register(t, "ann")
	memory, files := resident(t, w.Master), descriptors(t, w.Master)
	for _, door := range []struct {
		name, addr, hello string
		most              int // connections that the master keeps
	}{
		{"HTTP", w.HTTP(), "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 2048},
		{"gRPC", w.GRPC(), "", 512},
	} {
		b := w.watch(t, ann)
		var flood []net.Conn
		most, mostFiles := 0, 0
		for n := range most10k(t) {
			conn, err := net.DialTimeout("tcp", door.addr, 10*time.Second)
			if err != nil {
				t.Fatalf("%s, connection %d: %v", door.name, n, err)
			}
			flood = append(flood, conn)
			if n%2 == 0 {
				_, _ = io.WriteString(conn, door.hello) // it may be closed by now
			}
			if n%1000 == 999 {
				most, mostFiles = max(most, resident(t, w.Master)), max(mostFiles, descriptors(t, w.Master))
				w.succeeded(t, w.submit(t, w.small("")))
			}
		}
		if grown := most - memory; grown > 128 {
			t.Errorf("%s: the master grew by %d MiB", door.name, grown)
		}
		if mostFiles > files+door.most+100 {
			t.Errorf("%s: %d descriptors, before the flood %d", door.name, mostFiles, files)
		}
		if door.name == "gRPC" { // a worker that comes now is let in
			w.fakeWorker(t, "w2")
		}
		b.end(t, 20, 5*time.Second)
		for _, conn := range flood {
			_ = conn.Close()
		}
		t.Logf("%s: %d connections, memory %d to %d MiB, descriptors %d to %d", door.name, len(flood), memory, most, files, mostFiles)
	}
	await(t, 20*time.Second, func(context.Context) error {
		if now := descriptors(t, w.Master); now > files+30 {
			return fmt.Errorf("%d descriptors are open, %d were before", now, files)
		}
		return nil
	})
	for _, id := range []string{"w1", "w2"} {
		must(t, w.WorkerIs(t.Context(), id, "active"))
	}
	w.ended(t, call[client.Task](t, ann, 201, "/api/tasks", "-d", `{"docker_image":"busybox"}`).TaskID)
}
