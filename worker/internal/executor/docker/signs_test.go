package docker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"cloudai/worker/internal/executor"
)

// pinged is as much of an engine as answers a ping.
type pinged struct {
	net.Listener
	http.Server

	mu    sync.Mutex
	conns []net.Conn
	done  chan struct{}
}

func startPinged(t *testing.T, path string) *pinged {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &pinged{Listener: l, done: make(chan struct{})}
	p.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("API-Version", "1.41") })
	p.ConnState = func(c net.Conn, s http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s == http.StateNew {
			p.conns = append(p.conns, c)
		}
	}
	go func() {
		defer close(p.done)
		_ = p.Serve(l) // ends with the listener
	}()
	t.Cleanup(p.die)
	return p
}

// stopListening is the beginning of an engine's stop: what is connected is
// served on.
func (p *pinged) stopListening() {
	_ = p.Listener.Close()
	<-p.done
}

// die is its end.
func (p *pinged) die() {
	p.stopListening()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// An engine that stops says nothing any more that counts as a sign of life, and
// the next one is told from it.
func TestF08SignsOfLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.sock")
	e, err := New(Config{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	alive := func(want bool) {
		t.Helper()
		if err := e.Ping(t.Context()); want != (err == nil) || err != nil && !errors.Is(err, executor.ErrEngine) {
			t.Errorf("Ping: %v", err)
		}
	}
	p := startPinged(t, path)
	alive(true)
	alive(true)
	p.stopListening()
	alive(false)
	p.die()
	p = startPinged(t, path)
	alive(true)
	alive(true)

	// The next one takes over the socket between two questions.
	p.die()
	startPinged(t, path)
	alive(false)
	alive(true)

	// A question that was not waited for says nothing about the engine.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Ping(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping: %v", err)
	}
	alive(true)
}
