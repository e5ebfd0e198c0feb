//go:build engine

package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// proxy stands between an executor and the engine, and can take it away.
type proxy struct {
	host string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
	wg    sync.WaitGroup
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{host: "unix://" + path}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.setCut(true)
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve(conn net.Conn) {
	defer conn.Close()
	engine, err := net.Dial("unix", "/var/run/docker.sock")
	if err != nil {
		return
	}
	defer engine.Close()
	p.mu.Lock()
	if p.cut {
		p.mu.Unlock()
		return
	}
	p.conns = append(p.conns, conn, engine)
	p.mu.Unlock()
	p.wg.Go(func() {
		_, _ = io.Copy(engine, conn)
		_ = engine.Close()
	})
	_, _ = io.Copy(conn, engine)
}

// setCut takes the engine away, or gives it back.
func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.conns = nil
	}
}

// When the engine goes away while a container runs, its fate is unknown; with
// the engine back, the rest of its log and its end are to be had.
func TestEngineGoesAndComesBack(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	e, spec := open(t, Config{Host: p.host}), newSpec(t)
	spec.Command = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; sleep 2; echo end; exit 3"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := e.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	direct := open(t, Config{})
	t.Cleanup(func() { _ = direct.Remove(context.Background(), c.ID) })
	var log strings.Builder
	sink := func(chunk executor.LogChunk) error {
		if chunk.Offset != int64(log.Len()) {
			t.Errorf("offset %d, want %d", chunk.Offset, log.Len())
		}
		log.Write(chunk.Data)
		if strings.Contains(log.String(), "line 99\n") {
			p.setCut(true)
		}
		return nil
	}
	if got, err := e.Run(ctx, c.ID, executor.Offsets{}, nil, sink); !errors.Is(err, executor.ErrEngine) {
		t.Fatalf("attached: %+v, %v; want ErrEngine", got, err)
	}
	if err := e.Ping(ctx); !errors.Is(err, executor.ErrEngine) {
		t.Errorf("Ping: %v, want ErrEngine", err)
	}
	p.setCut(false)
	if err := e.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
	// Following the stored log this time.
	followed := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, c.ID, executor.Offsets{Stdout: int64(log.Len())}, func(time.Time) {}, sink)
		followed <- err
	}()
	p.setCut(true)
	if err := <-followed; !errors.Is(err, executor.ErrEngine) {
		t.Errorf("following: %v, want ErrEngine", err)
	}
	p.setCut(false)
	got, err := e.Run(ctx, c.ID, executor.Offsets{Stdout: int64(log.Len())}, nil, func(chunk executor.LogChunk) error {
		log.Write(chunk.Data)
		return nil
	})
	if err != nil || got.ExitCode != 3 || !strings.HasSuffix(log.String(), "line 99\nend\n") || strings.Count(log.String(), "\n") != 101 {
		t.Errorf("%+v, %v, %q", got, err, log.String())
	}
}

// An engine that takes calls and does not answer is as good as none.
func TestSilentEngine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "silent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := open(t, Config{Host: "unix://" + l.Addr().String(), AnswerTimeout: 100 * time.Millisecond})
	if err := e.Ping(t.Context()); !errors.Is(err, executor.ErrEngine) {
		t.Errorf("Ping: %v, want ErrEngine", err)
	}
	if _, err := e.Inspect(t.Context(), "x"); !errors.Is(err, executor.ErrEngine) {
		t.Errorf("Inspect: %v, want ErrEngine", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Inspect(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, executor.ErrEngine) {
		t.Errorf("Inspect with an ended context: %v", err)
	}
}

// Where the kernel's files cannot be read, the engine's stream is kept.
func TestUsageByStream(t *testing.T) {
	t.Parallel()
	e, spec := open(t, Config{}), newSpec(t)
	e.usage.cgroups = cgroups{root: emptyFS(t)}
	spec.Command = "while :; do :; done"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := e.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), c.ID) })
	running := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = e.Run(ctx, c.ID, executor.Offsets{}, func(time.Time) { close(running) }, func(executor.LogChunk) error { return nil })
	})
	defer wg.Wait()
	<-running
	if u, err := e.Usage(ctx, c.ID); err != nil || u.Memory <= 0 || u.Pids < 1 || u.CPUSeconds <= 0 {
		t.Errorf("running: %+v, %v", u, err)
	}
	if err := e.Stop(ctx, c.ID, 0); err != nil {
		t.Fatal(err)
	}
	for {
		u, err := e.Usage(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if u == (executor.Usage{}) {
			return
		}
	}
}
