//go:build engine

package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// testRegistry is Debian's registry on a free port of loopback.
type testRegistry struct {
	addr string
	dir  string
	cmd  *exec.Cmd
}

func startRegistry(ctx context.Context) (*testRegistry, error) {
	registry, err := program("registry.sh")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "executortest-registry-")
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n",
		filepath.Join(dir, "data"), addr)
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r := &testRegistry{addr: addr, dir: dir, cmd: exec.Command(registry, "serve", file)}
	// Also when the tests end in a panic.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		answer, err := http.Get("http://" + addr + "/v2/") //nolint:noctx // Bounded by the loop.
		if err == nil {
			_ = answer.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			return r, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			r.stop()
			return nil, fmt.Errorf("no answer at %s: %w", addr, err)
		}
	}
}

// stop ends the process that startRegistry made.
func (r *testRegistry) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	_ = os.RemoveAll(r.dir)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
