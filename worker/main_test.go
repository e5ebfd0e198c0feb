package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/worker/internal/config"
	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/system"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what a process has written so far.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.changed:
		case <-deadline:
			t.Fatalf("no %q in:\n%s", text, o)
		}
	}
}

func runWorker(t *testing.T, env map[string]string, args ...string) (*output, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := newOutput(), make(chan error, 1)
	go func() {
		ended <- run(ctx, args, func(name string) string { return env[name] }, out, out)
	}()
	return out, func() error {
		cancel()
		return <-ended
	}
}

// Without a master or its token the worker waits and says for what.
func TestWaitsForTheJoinToken(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"EXECUTOR": "fake", "WORKER_DATA_DIR": dir, "WORKER_ADDR": "127.0.0.1:0", "JOIN_TOKEN_FILE": filepath.Join(dir, "token")}
	out, stop := runWorker(t, env)
	out.await(t, "there is no join token in "+filepath.Join(dir, "token"))
	second, stopSecond := runWorker(t, env)
	err := stopSecond()
	if err == nil || !strings.Contains(err.Error(), "another worker (process") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second worker on the folder: %v\n%s", err, second)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	id, err := os.ReadFile(filepath.Join(dir, "worker-id"))
	if err != nil || !strings.Contains(out.String(), strings.TrimSpace(string(id))) {
		t.Errorf("id %q, %v", id, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "worker.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity: %v, %v", info, err)
	}
}

func TestVersionAndBadSettings(t *testing.T) {
	out, stop := runWorker(t, nil, "--version")
	if err := stop(); err != nil || out.String() != version+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	_, stop = runWorker(t, map[string]string{"WORKER_CPU": "many"})
	if err := stop(); err == nil || !strings.Contains(err.Error(), "WORKER_CPU") {
		t.Error(err)
	}
}

func TestListenTakesTheNextFreePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	if _, _, err := listen(t.Context(), config.Listen{Addr: addr, Fixed: true}); err == nil || !strings.Contains(err.Error(), "WORKER_ADDR "+addr+" is in use by ") {
		t.Errorf("a port that was asked for is taken: %v", err)
	}
	l, port, err := listen(t.Context(), config.Listen{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if port <= taken.Addr().(*net.TCPAddr).Port {
		t.Errorf("port %d after %s", port, addr)
	}
}

// A worker that starts again while its tasks hold the disk offers what it did
// before: what they have written is not missing from it.
func TestCapacityCountsWhatTasksHold(t *testing.T) {
	data := &system.DataDir{Path: t.TempDir()}
	output := filepath.Join(data.Path, "attempts", "t-1-l", "output")
	if err := os.MkdirAll(output, 0o700); err != nil {
		t.Fatal(err)
	}
	written := make([]byte, 2<<20)
	_, _ = rand.Read(written)
	if err := os.WriteFile(filepath.Join(output, "file"), written, 0o600); err != nil {
		t.Fatal(err)
	}
	disks := disksOf(config.Config{}, data, executor.Info{Root: "/engine"})
	if disks.Output != data.Path || disks.Engine != "/engine" {
		t.Errorf("%+v", disks)
	}
	disks.Output, disks.Engine = "/proc", "" // a file system that never has room
	c, err := capacityOf(t.Context(), config.Config{}, data, executor.Info{}, disks)
	if err != nil || c.Storage != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	chosen := int64(50)
	c, err = capacityOf(t.Context(), config.Config{Capacity: config.Capacity{Storage: &chosen}}, data, executor.Info{}, disks)
	if err != nil || c.Storage != 50 {
		t.Errorf("chosen: %+v, %v", c, err)
	}
}
