// Package mongotest starts what tests take for a MongoDB where none is
// installed: FerretDB, which speaks the same protocol over TCP, from a module of
// its own. It must not know what is kept in it.
package mongotest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"cloudai/master/internal/freeport"
)

// Server is one process with its folder; it may be ended and started again.
type Server struct {
	program string
	address string
	dir     string

	cmd   *exec.Cmd
	stdin io.Closer
	said  bytes.Buffer // its log, complete once it has ended
}

var program = sync.OnceValues(func() (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, ".tools", "ferretdb", "ferretdb.sh"))
	cmd.Stderr = os.Stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ferretdb.sh: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

// repository is the folder of go.work, above this one.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.work")); missing == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = errors.New("not in the repository")
	}
	return "", err
}

// Start builds the server where needed and starts it on a free port of this
// machine, with its data in the folder.
func Start(dir string) (*Server, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	s := &Server{program: path, address: address, dir: dir}
	return s, s.Restart()
}

// URI is where it is.
func (s *Server) URI() string { return "mongodb://" + s.address + "/" }

// Address is its host and port.
func (s *Server) Address() string { return s.address }

// Restart starts the process on its folder and port and waits until it listens.
func (s *Server) Restart() error {
	s.said.Reset()
	cmd := exec.Command(s.program, s.address, s.dir)
	cmd.Stderr = &s.said
	// A pipe: the server ends when this process does.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.stdin = cmd, stdin
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = s.Kill()
		return fmt.Errorf("ferretdb has not come up: %w: %s", err, s.said.String())
	}
	return nil
}

// Stop asks the process to end and waits for it.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends the process at once and waits for it.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Signal sends a signal, such as SIGSTOP.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

func (s *Server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = s.cmd.Wait() // how it ended is known
	s.cmd = nil
	if err := s.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
