package agent

import (
	"fmt"
	"time"
)

// verdict is how an attempt ended.
type verdict struct {
	status  Status
	failure Failure
	message string
}

func failed(f Failure, format string, args ...any) verdict {
	return verdict{status: StatusFailed, failure: f, message: fmt.Sprintf(format, args...)}
}

// verdict derives the ending from facts that outlive this process, in the
// order in which the contract ranks them.
func (a *attempt) verdict() verdict {
	c := a.end.exit
	switch {
	case a.orders.cancel:
		return verdict{status: StatusCancelled, message: "cancelled"}
	case a.end.failure != "":
		return failed(a.end.failure, "%s", a.end.message)
	case c == nil:
		return failed(FailureRuntime, "no container ran")
	case c.OOMKilled && c.ExitCode != 0:
		return a.outOfMemory()
	case a.overLimit() != "":
		return failed(FailureStorage, "%s", a.overLimit())
	case a.timedOut():
		return failed(FailureTimeout, "it ran for %s, its timeout is %s",
			c.FinishedAt.Sub(c.StartedAt).Round(10*time.Millisecond), a.spec.Timeout)
	case c.ExitCode != 0:
		return failed(FailureExit, "exited with code %d", c.ExitCode)
	case a.end.upload != "":
		return failed(FailureUpload, "%s", a.end.upload)
	}
	return verdict{status: StatusSucceeded}
}

// peak is the most memory that the container had, in MiB, as far as is known.
// The kernel kills when the limit is reached, so that is the least the peak of
// an OOM-killed one was, also when no sample has seen it.
func (a *attempt) peak() float64 {
	if c := a.end.exit; c != nil && c.OOMKilled {
		return max(a.news.usage.MemoryPeak, float64(a.spec.Memory))
	}
	return a.news.usage.MemoryPeak
}

// outOfMemory names limit and peak.
func (a *attempt) outOfMemory() verdict {
	peak := a.peak()
	if peak <= 0 {
		return failed(FailureOOM, "out of memory; the task has no limit of its own")
	}
	return failed(FailureOOM, "out of memory: the limit is %d MiB, the peak was %.0f MiB", a.spec.Memory, peak)
}

func (a *attempt) timedOut() bool {
	c := a.end.exit
	return a.spec.Timeout > 0 && !c.StartedAt.IsZero() && !c.FinishedAt.IsZero() &&
		c.FinishedAt.Sub(c.StartedAt) >= a.spec.Timeout
}
