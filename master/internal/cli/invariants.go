package cli

import (
	"context"
	"fmt"
	"strings"

	"cloudai/master/client"
)

const invariants = "invariants" // the check's name

// checkInvariants looks at what the master's comparison of store, memory and
// heartbeats has found. Everybody hears how much and of what kind,
// administrators of which tasks and workers.
func (c *command) checkInvariants(ctx context.Context, d *diagnosis) {
	health, err := c.client.Health(ctx)
	if err != nil {
		d.failed(c, invariants, err)
		return
	}
	found := health.Invariants
	switch {
	case found == nil || found.CheckedAt == nil:
		d.add(check{invariants, warn, "store, memory and heartbeats have not been compared yet", "ask again in a moment"})
		return
	case found.Violations == 0 && found.Pending == 0:
		d.add(check{invariants, fine, "hold: store, memory and heartbeats agree", ""})
		return
	case found.Violations == 0:
		d.add(check{invariants, fine, fmt.Sprintf("hold; %d under way", found.Pending), ""})
		return
	}
	state, err := c.client.Cluster(ctx)
	if err != nil {
		d.failed(c, invariants, err)
		return
	}
	named := 0
	for _, x := range state.Mismatches {
		if x.Violation {
			named++
			d.add(check{invariants, bad, mismatchInWords(x), mismatchAdvice(x)})
		}
	}
	if named == found.Violations {
		return
	}
	for _, k := range found.Kinds {
		if k.Violations > 0 {
			d.add(check{invariants, bad, fmt.Sprintf("%s (%d, for %s)", k.Message, k.Violations, k.Oldest), ""})
		}
	}
}

func mismatchInWords(x client.Mismatch) string {
	who := "task " + x.TaskID
	if x.Attempt > 0 {
		who += fmt.Sprintf(" attempt %d", x.Attempt)
	}
	if x.WorkerID != "" {
		who += ", worker " + x.WorkerID
	}
	return fmt.Sprintf("%s: %s, for %s", x.Message, who, x.Age)
}

// mismatchAdvice says what to do; the master mends by itself what it can, so
// what stays is a fault of a worker's machine or of the program.
func mismatchAdvice(x client.Mismatch) string {
	if strings.HasPrefix(x.Invariant, "running_") {
		return "the worker does not get rid of it; look there with: docker ps -a --filter label=cloudai.task_id=" + x.TaskID
	}
	return "a restart of the master reads everything from the store anew; please report it with the master's log"
}
