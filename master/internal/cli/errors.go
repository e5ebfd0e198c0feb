package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"cloudai/master/client"
)

// Exit codes beside a task's own.
const (
	exitFailed    = 1
	exitUsage     = 2
	exitTimeout   = 124 // the task's timeout passed
	exitNeverRan  = 125 // no container ran
	exitCancelled = 130 // the task was cancelled, or Ctrl-C left the command
	exitKilled    = 137 // the engine killed the container
)

// usageError means that the command was not written as it must be.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exitError ends a command with a code when all has been said.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// advisedError is an error and what to do about it.
type advisedError struct {
	err    error
	advice string
}

func (e *advisedError) Error() string { return e.err.Error() }

func (e *advisedError) Unwrap() error { return e.err }

func advised(err error, advice string) error { return &advisedError{err, advice} }

// exitWith is nil for 0.
func exitWith(code int) error {
	if code == 0 {
		return nil
	}
	return exitError{code}
}

// verdictOf gives the exit code of an error and what to tell the person, which
// may be nothing.
func verdictOf(err error) (code int, text string) {
	var exit exitError
	var usage usageError
	var advised *advisedError
	var refused *client.Error
	var unreachable *client.UnreachableError
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &advised):
		code, text = verdictOf(advised.err)
		return code, text + "\n" + advised.advice
	case errors.As(err, &exit):
		return exit.code, ""
	case errors.As(err, &usage):
		return exitUsage, usage.text
	case errors.Is(err, context.Canceled):
		return exitCancelled, ""
	case errors.As(err, &unreachable):
		return exitFailed, strings.Replace(err.Error(), unreachable.Error(), unreachableText(unreachable), 1)
	case errors.As(err, &refused):
		return refusedText(refused)
	}
	return exitFailed, err.Error()
}

// identityAdvice says what to do when a master elsewhere does not know who
// calls. The one on this machine knows.
func (c *command) identityAdvice(err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || c.server == "" {
		return err
	}
	begin := "CLOUDAI_TOKEN is not set. "
	if c.token != "" {
		begin = "CLOUDAI_TOKEN is not valid there, or not any more. "
	}
	return advised(err, begin+"On the master's machine, bin/master cli token <name> makes a token;\n"+
		"or sign in: POST "+strings.TrimSuffix(c.server, "/")+"/api/auth/login with email and password gives one.")
}

// neverReached reports whether the call cannot have taken effect: nobody was
// there to take it.
func neverReached(e *client.UnreachableError) bool {
	return errors.Is(e, fs.ErrNotExist) || errors.Is(e, syscall.ECONNREFUSED)
}

// unreachableText says what to do when no master answers.
func unreachableText(e *client.UnreachableError) string {
	switch {
	case strings.Contains(e.Where, "://"):
		return e.Error() + "\nIs that the right address (--server, CLOUDAI_SERVER), and does a master run there?"
	case errors.Is(e, fs.ErrPermission):
		return fmt.Sprintf("the socket %s belongs to another user; run this as the user who runs the master, or use --server with a token", e.Where)
	case neverReached(e):
		return fmt.Sprintf("no master is running at %s\nStart one with ./runMaster.sh, or say where it is: --data-dir (MASTER_DATA_DIR) names its data folder, --server its address.", e.Where)
	}
	return e.Error()
}

// flagOf is how a person writes what the API calls so.
var flagOf = map[string]string{
	"docker_image": "image", "cpu_required": "--cpu", "memory_required": "--mem", "storage_required": "--storage",
	"gpu_required": "--gpu", "env": "--env", "timeout": "--timeout", "priority": "--priority", "max_retries": "--retries",
	"labels": "--label", "constraints": "--constraint", "network": "--network", "command": "--command", "name": "--name",
	"args": "arguments after --", "worker_id": "--worker", "limit": "--limit", "label": "--label", "failure": "--failure",
	"tail": "--tail", "attempt": "--attempt", "role": "--role", "scopes": "--scope", "expires_in": "--expires",
}

// refusedText puts the master's complaints about fields in the words of the
// command line; what it calls invalid is a usage error here.
func refusedText(e *client.Error) (code int, text string) {
	code = exitFailed
	if e.Status == http.StatusUnprocessableEntity || e.Status == http.StatusBadRequest {
		code = exitUsage
	}
	if len(e.Fields) == 0 {
		return code, e.Detail
	}
	var lines []string
	for _, f := range e.Fields {
		name := f.Location
		if end := strings.IndexAny(name, ".["); end > 0 && flagOf[name[:end]] != "" {
			name = flagOf[name[:end]] + " (" + name + ")"
		} else if flag, ok := flagOf[name]; ok {
			name = flag
		}
		lines = append(lines, name+": "+f.Message)
	}
	return code, strings.Join(lines, "\n")
}

// exitCodeOf is the exit code of a task that is over.
func exitCodeOf(t client.Task) int {
	switch {
	case t.Status == "succeeded":
		return 0
	case t.Status == "cancelled":
		return exitCancelled
	case t.Failure == "timeout":
		return exitTimeout
	case t.ExitCode != nil && *t.ExitCode > 0 && *t.ExitCode < 256:
		return *t.ExitCode
	case t.ExitCode != nil: // it ended well, but what it left could not be kept
		return exitFailed
	}
	switch t.Failure {
	case "oom":
		return exitKilled
	case "exit", "storage", "upload":
		return exitFailed
	}
	return exitNeverRan
}
