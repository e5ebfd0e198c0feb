package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is one program that was started here.
type Process struct {
	name string
	log  string // file that takes what it prints
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start runs a program in a folder; what it prints is appended to a log file.
func Start(name string, command []string, env []string, dir, log string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer out.Close() // the child has its own
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, dir, out, out
	cmd.SysProcAttr = dieWithUs()
	return begin(name, cmd, log)
}

// StartAt runs a program at a terminal, which is its own: Ctrl-C there goes to
// it. The log is a file that the program itself writes.
func StartAt(tty *os.File, name string, command []string, env []string, dir, log string) (*Process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, dir, tty, tty, tty
	cmd.SysProcAttr = dieWithUs()
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true // that of descriptor 0
	return begin(name, cmd, log)
}

func begin(name string, cmd *exec.Cmd, log string) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its verdict stands in ProcessState
		close(p.done)
	}()
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ExitCode is the code of a process that has ended; -1 when a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Kill ends the process at once, as a crash does, and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	return p.Await(10 * time.Second)
}

// Term asks the process to end and waits for it.
func (p *Process) Term(limit time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Await(limit)
}

// Signal sends a signal; to a process that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && p.Running() {
		return fmt.Errorf("signal %s to %s: %w", s, p.name, err)
	}
	return nil
}

// Await waits for the end of the process.
func (p *Process) Await(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s (process %d) has not ended after %s", p.name, p.cmd.Process.Pid, limit)
	}
}

// await is Await for a condition that only a living process can meet.
func (p *Process) await(ctx context.Context, limit time.Duration, met func(context.Context) error) error {
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("%s ended with code %d:\n%s", p.name, p.ExitCode(), p.Tail(4<<10)))
		case <-stop:
		}
	}()
	return Await(alive, limit, met)
}

// Tail is the end of what the process and its predecessors of the same name
// have printed.
func (p *Process) Tail(most int) string {
	printed, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(printed) > most {
		printed = printed[len(printed)-most:]
		if _, rest, ok := bytes.Cut(printed, []byte("\n")); ok {
			printed = rest
		}
	}
	return string(printed)
}
