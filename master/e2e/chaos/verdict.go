package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"cloudai/master/client"
)

// task checks one task: its verdict, its history, its logs and its files.
func (c *check) task(ctx context.Context, j *job, t client.Task) {
	complain := func(format string, args ...any) {
		c.find("%s (%s): %s; %s", t.TaskID, j.name, fmt.Sprintf(format, args...), history(t))
	}
	c.verdict(j, t, complain)
	c.budgets(t, complain)
	c.timeline(ctx, t, complain)
	for _, a := range t.Attempts {
		c.log(ctx, j, t, a, complain)
	}
	c.output(ctx, j, t, complain)
}

type complain func(format string, args ...any)

// history is a task's attempts in one line.
func history(t client.Task) string {
	var b strings.Builder
	fmt.Fprintf(&b, "it is %s/%s", verdictOf(t), code(t.ExitCode))
	for _, a := range t.Attempts {
		fmt.Fprintf(&b, ", %d on %s: %s %s/%s %q", a.Attempt, a.WorkerID, a.State, a.Failure, code(a.ExitCode), a.Message)
	}
	return b.String()
}

func code(c *int) string {
	if c == nil {
		return "-"
	}
	return fmt.Sprint(*c)
}

// verdict checks that the task ended as it must, given what it does, whether it
// was cancelled, and what was done to it.
func (c *check) verdict(j *job, t client.Task, complain complain) {
	if t.State != "stored" {
		complain("it is not stored")
	}
	switch {
	case t.Status == "cancelled" && (j.cancelled == notAsked || j.cancelled == tooLate):
		complain("it is cancelled, and nobody wanted that")
	case t.Status != "cancelled" && j.cancelled == agreed:
		complain("its cancel was agreed to")
	case t.Status == "cancelled", t.Failure == "runtime", t.Failure == "worker_lost":
		// The budgets are looked at below.
	case t.Failure == "upload" && len(j.want.files) > 0 && c.masterFull():
	case t.Failure == "exit" && t.ExitCode != nil && *t.ExitCode == noRoom && t.WorkerID == "d1" && c.hurt.had("disk of d1", full):
	case t.Failure != j.want.failure:
		complain("it should end as %q", j.want.failure)
	case t.Failure != "timeout" && (t.ExitCode == nil || *t.ExitCode != j.want.code):
		complain("it should end with code %d", j.want.code)
	}
}

// masterFull reports whether the master may have refused files.
func (c *check) masterFull() bool {
	return c.hurt.had("disk of master", full) || c.hurt.had("disk of master", nearlyFull)
}

// budgets checks that no more was tried than was paid for, and that it was given
// up no sooner.
func (c *check) budgets(t client.Task, complain complain) {
	retries, reschedules := 0, 0
	for _, a := range t.Attempts {
		switch a.Failure {
		case "exit", "oom", "timeout":
			retries++
		case "runtime", "worker_lost":
			reschedules++
		}
	}
	switch t.Failure { // the last one was not paid for
	case "exit", "oom", "timeout":
		if retries--; retries != t.MaxRetries {
			complain("it used %d of %d retries", retries, t.MaxRetries)
		}
	case "runtime", "worker_lost":
		if reschedules--; reschedules != t.MaxReschedules {
			complain("it used %d of %d reschedules", reschedules, t.MaxReschedules)
		}
	}
	if t.Status == "cancelled" {
		return // one of them may have been on its way
	}
	if retries > t.MaxRetries || reschedules > t.MaxReschedules {
		complain("it used %d of %d retries, %d of %d reschedules", retries, t.MaxRetries, reschedules, t.MaxReschedules)
	}
}

// order is that of the states.
var order = map[string]int{
	"created": 0, "queued": 1, "assigned": 2, "image_pulled": 3, "container_created": 4, "running": 5,
	"collect_output": 6, "upload_files": 7, "report_result": 8, "stored": 9,
}

// timeline checks that the task was stored once, at its end, and never went
// back.
func (c *check) timeline(ctx context.Context, t client.Task, complain complain) {
	stored, seq, attempt, state := 0, 0, 0, -1
	for e, err := range c.stage.api.Events(ctx, t.TaskID) {
		if err != nil {
			complain("its events: %v", err)
			return
		}
		if e.Seq != seq+1 {
			complain("event %d follows %d", e.Seq, seq)
		}
		if stored > 0 {
			complain("event %d, %s, comes after its end", e.Seq, e.State)
		}
		if e.Attempt < attempt || e.Attempt == attempt && order[e.State] < state {
			complain("event %d goes back to %s of attempt %d", e.Seq, e.State, e.Attempt)
		}
		if e.State == "stored" {
			stored++
		}
		seq, attempt, state = e.Seq, e.Attempt, order[e.State]
	}
	if stored != 1 {
		complain("it was stored %d times", stored)
	}
}

// log checks the log of one attempt: whole where its container ran to its own
// end, else a beginning of it, with a marker where the rest got lost.
func (c *check) log(ctx context.Context, j *job, t client.Task, a client.Attempt, complain complain) {
	got := map[string]string{}
	for r, err := range c.stage.api.Logs(ctx, t.TaskID, client.LogOptions{Attempt: a.Attempt}) {
		if client.IsNotFound(err) {
			break // it never had one
		}
		if err != nil {
			complain("log of attempt %d: %v", a.Attempt, err)
			return
		}
		line, err := r.Bytes()
		if err != nil {
			complain("log of attempt %d: %v", a.Attempt, err)
		}
		got[r.Stream] += string(line)
	}
	whole := a.Outcome == "success" || a.Failure == "upload" || a.Failure == "exit" && *a.ExitCode == j.want.code
	for stream, want := range map[string]string{"stdout": j.want.stdout, "stderr": j.want.stderr} {
		// The newline of what was cut in a line stands before the marker.
		have := got[stream]
		if !whole {
			have = strings.TrimSuffix(have, "\n")
		}
		switch {
		case whole && have != want:
			complain("%s of attempt %d has %d bytes, not %d: %.60q at their parting", stream, a.Attempt, len(have), len(want), parting(have, want))
		case !strings.HasPrefix(want, have):
			complain("%s of attempt %d is not what it wrote: %.60q at their parting", stream, a.Attempt, parting(have, want))
		}
	}
	marked := strings.Contains(got["marker"], "[cloudai]")
	if whole && marked {
		complain("log of attempt %d has a marker: %q", a.Attempt, got["marker"])
	}
	if a.Failure == "worker_lost" && !marked && !c.reported(a, t.TaskID) {
		complain("the log of attempt %d, which was lost, has no marker", a.Attempt)
	}
}

// reported reports whether a worker has sent the attempt's result. The log was
// completed for it then and needs no marker: the attempt was lost with nothing
// but its verdict, which the master had no room for, or no time.
func (c *check) reported(a client.Attempt, task string) bool {
	said := fmt.Sprintf("msg=reported task_id=%s attempt=%d ", task, a.Attempt)
	return strings.Contains(c.stage.rig.Logs(64<<20), said)
}

// parting is what follows in have where it stops being as wanted.
func parting(have, want string) string {
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			return have[i:]
		}
	}
	return have[min(len(have), len(want)):]
}

// output checks the files: those of a task that ended by itself are all there,
// and whatever is there is as it is listed.
func (c *check) output(ctx context.Context, j *job, t client.Task, complain complain) {
	list, err := c.stage.api.TaskFiles(ctx, t.TaskID)
	if err != nil && !client.IsNotFound(err) {
		complain("its files: %v", err)
		return
	}
	listed := map[string]string{}
	for _, f := range list.Files {
		listed[f.Path] = f.SHA256
		body, err := c.stage.api.OpenFile(ctx, t.TaskID, f.Path)
		if err != nil {
			complain("file %s: %v", f.Path, err)
			continue
		}
		sum := sha256.New()
		n, err := io.Copy(sum, body)
		_ = body.Close() // only read
		if got := hex.EncodeToString(sum.Sum(nil)); err != nil || got != f.SHA256 || n != f.Size {
			complain("file %s is listed with %d bytes and %s, and comes with %d and %s, %v", f.Path, f.Size, f.SHA256, n, got, err)
		}
	}
	byItself := t.Status == "succeeded" || t.Failure == "exit" && *t.ExitCode == j.want.code
	if !byItself {
		return
	}
	if len(list.Skipped) > 0 && t.Status != "succeeded" && c.masterFull() {
		return // its own failure comes first
	}
	for path, sum := range j.want.files {
		if listed[path] != sum {
			complain("file %s should have SHA-256 %s and has %q; skipped: %v", path, sum, listed[path], list.Skipped)
		}
	}
	if len(listed) != len(j.want.files) {
		complain("it has %d files instead of %d", len(listed), len(j.want.files))
	}
}
