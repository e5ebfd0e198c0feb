package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"cloudai/worker/internal/executor"
)

// oomLate is how long after the exit the engine may still learn of an OOM
// kill. Up to 230 ms were seen on a loaded machine, and more than a second on one
// whose engines were being killed.
const oomLate = 3 * time.Second

// oomEarly is how long before the start that the engine tells of the kill may
// lie: a busy engine notes the start after the fact. 2 s were seen.
const oomEarly = time.Minute

// killedByKernel is the exit code of a program that got SIGKILL.
const killedByKernel = 137

// killedForMemory looks for an OOM kill that the container's state does not tell
// of. The engine gets exit and kill in two messages, and when the exit comes first
// the state never says OOMKilled; an event does, unless the second message got
// lost, as happens on a busy machine and around an engine's crash. When the exit
// code is a kill's that this process did not order, the kernel's log is asked
// first, and a late event is waited for.
func (e *Executor) killedForMemory(ctx context.Context, c executor.Container) (bool, error) {
	until := c.FinishedAt
	if c.ExitCode == killedByKernel && !e.hints.wasKilled(c.ID) {
		if toldOfKill(e.kernelLog(), c.ID) {
			return true, nil
		}
		until = until.Add(oomLate)
	}
	// The engine ends the list by its own clock; the timeout is for one that
	// goes wrong.
	short, cancel := context.WithTimeout(ctx, 2*oomLate)
	defer cancel()
	messages, errs := e.api.Events(short, events.ListOptions{
		Since:   engineStamp(c.StartedAt.Add(-oomEarly)),
		Until:   engineStamp(until),
		Filters: filters.NewArgs(filters.Arg("container", c.ID), filters.Arg("event", string(events.ActionOOM))),
	})
	select {
	case <-messages:
		return true, nil
	case err := <-errs:
		if err == nil || errors.Is(err, io.EOF) || ctx.Err() == nil && short.Err() != nil {
			return false, nil
		}
		return false, fail(ctx, "looking for an OOM kill", err)
	}
}

// engineStamp writes a time as the engine's queries want it.
func engineStamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
