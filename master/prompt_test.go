package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen collects what a terminal shows.
type screen struct {
	mu      sync.Mutex
	text    string
	changed chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(p)
	close(s.changed)
	s.changed = make(chan struct{})
	return len(p), nil
}

// sees waits for the words and forgets all up to them.
func (s *screen) sees(t *testing.T, words string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		_, after, found := strings.Cut(s.text, words)
		if found {
			s.text = after
		}
		text, changed := s.text, s.changed
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%q did not come, only %q", words, text)
		}
	}
}

// A master on a terminal opens its prompt; Ctrl-C does not end it, exit does.
func TestMasterWithPrompt(t *testing.T) {
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	defer keys.Close()
	shown := &screen{changed: make(chan struct{})}
	go func() { _, _ = io.Copy(shown, keys) }() // until the terminal is closed
	done := make(chan int, 1)
	args := []string{"serve", "--master-data-dir", t.TempDir(), "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"}
	go func() {
		done <- run(t.Context(), args, func(string) string { return "" }, tty, tty, tty)
	}()
	types := func(text string) {
		if _, err := keys.WriteString(text); err != nil {
			t.Error(err)
		}
	}
	shown.sees(t, "master> ")
	types("task alpine --quiet\rlist-tasks\r")
	shown.sees(t, "queued")
	shown.sees(t, "master> ")
	types("monitor \t\r") // stays: there is no worker
	shown.sees(t, "no worker is registered")
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-interrupted
	shown.sees(t, "master> ")
	types("exit\r")
	shown.sees(t, "Shut the master down?")
	types("y\r")
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the master goes on")
	}
}

// Ctrl-C ends the context until it is somebody else's.
func TestUntilInterrupt(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt) // so that it does not end the test
	defer signal.Stop(signals)
	interrupt := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		<-signals
	}
	ctx, ignore := untilInterrupt(t.Context())
	ignored, _ := untilInterrupt(t.Context())
	ignore()
	interrupt()
	<-ignored.Done()
	if ctx.Err() != nil {
		t.Error("it was ended after all")
	}
	outer, cancel := context.WithCancel(t.Context())
	ctx, _ = untilInterrupt(outer)
	cancel()
	<-ctx.Done()
}
