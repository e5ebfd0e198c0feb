package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the master, the workers and the queue, and advise",
		Long: `Looks at everything that the API tells: whether the master answers and takes
tasks, its version, each worker, what waits, and what has failed lately. Prints
one line per check and what to do about it. The exit code is 1 when something
is bad.`,
		Example:           "doctor",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.doctor(cmd.Context())
		},
	}
}

// How a check may end.
const (
	fine = "ok"
	warn = "warn" // something to know
	bad  = "bad"  // something does not work
)

// check is the result of one check.
type check struct {
	Check   string `json:"check"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
}

// diagnosis is the document of doctor.
type diagnosis struct {
	Status string  `json:"status"`
	Checks []check `json:"checks"`
}

func (d *diagnosis) add(c check) {
	d.Checks = append(d.Checks, c)
	if d.Status != bad && c.Status != fine {
		d.Status = c.Status
	}
}

// failed adds a check that could not be made.
func (d *diagnosis) failed(c *command, name string, err error) {
	_, text := verdictOf(c.identityAdvice(err))
	message, advice, _ := strings.Cut(text, "\n")
	d.add(check{name, bad, message, advice})
}

func (c *command) doctor(ctx context.Context) error {
	d := diagnosis{Status: fine}
	c.examine(ctx, &d)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.asDocument() {
		if err := c.document(d); err != nil {
			return err
		}
	} else {
		c.diagnosisTable(d)
	}
	if d.Status == bad {
		return exitError{exitFailed}
	}
	return nil
}

func (c *command) diagnosisTable(d diagnosis) {
	looks := map[string]style{fine: green, warn: yellow, bad: red}
	var out table
	for _, check := range d.Checks {
		out.row(cell{check.Status, looks[check.Status]}, cell{check.Check, plainly}, cell{check.Message, plainly})
		for line := range strings.Lines(check.Advice) {
			out.row(cell{}, cell{}, cell{"→ " + strings.TrimSpace(line), plainly})
		}
	}
	out.print(c.out, "")
}

// examine makes the checks. Without a master that answers there is no other.
func (c *command) examine(ctx context.Context, d *diagnosis) {
	version, err := c.client.Version(ctx)
	if err != nil {
		d.failed(c, "master", err)
		return
	}
	d.add(check{"master", fine, "answers at " + c.where(), ""})
	if err := c.client.Ready(ctx); err != nil {
		_, text := verdictOf(err)
		d.add(check{"ready", bad, text, ""})
	} else {
		d.add(check{"ready", fine, "tasks are taken", ""})
	}
	d.add(c.checkVersion(version.Version))
	c.checkInvariants(ctx, d)
	c.checkDisks(ctx, d)
	var workers []client.Worker
	for w, err := range c.client.Workers(ctx) {
		if err != nil {
			d.failed(c, "workers", err)
			return
		}
		workers = append(workers, w)
	}
	c.checkWorkers(d, workers, version.Version)
	c.checkQueue(ctx, d)
	c.checkFailures(ctx, d)
}

// checkDisks looks at how much the master has left.
func (c *command) checkDisks(ctx context.Context, d *diagnosis) {
	health, err := c.client.Health(ctx)
	if err != nil {
		d.failed(c, "disk", err)
		return
	}
	for _, disk := range health.Disks {
		words := fmt.Sprintf("%s of %s are free for %s", bytesInWords(disk.Free), bytesInWords(disk.Total), disk.Holds)
		if disk.Low {
			d.add(check{
				"disk", bad, words + "; nothing more is taken below " + bytesInWords(disk.Reserve),
				c.typed("prune --dry-run --logs 30d --files 30d") + " says what old logs and files would give; RETENTION_BYTES bounds them for good",
			})
			continue
		}
		d.add(check{"disk", fine, words, ""})
	}
}

func (c *command) checkVersion(master string) check {
	if master == c.version || c.version == "" {
		return check{"version", fine, master, ""}
	}
	return check{
		"version", warn, "the master is " + master + ", this program " + c.version,
		"restart the master with the new program, or use the one that it was started with",
	}
}

func (c *command) checkWorkers(d *diagnosis, workers []client.Worker, master string) {
	if len(workers) == 0 {
		d.add(check{"workers", bad, "there are none, so no task can run", "start one here with ./runWorker.sh; " + c.typed("join") + " prints the command for another machine"})
		return
	}
	active := 0
	var others []string // with another version than the master's
	for _, w := range workers {
		if w.Status == "active" {
			active++
		} else {
			d.add(c.checkWorker(w))
		}
		if w.Version != "" && w.Version != master {
			others = append(others, w.WorkerID+" "+w.Version)
		}
	}
	if active > 0 {
		d.add(check{"workers", fine, fmt.Sprintf("%d of %d active", active, len(workers)), ""})
	} else {
		d.add(check{"workers", bad, "none is active, so no task can begin", ""})
	}
	if len(others) > 0 {
		d.add(check{"workers", warn, "other versions than the master's " + master + ": " + shortList(others), "bring them to one version"})
	}
}

// checkWorker is about a worker that is not active.
func (c *command) checkWorker(w client.Worker) check {
	result := check{"worker " + w.WorkerID, bad, strings.Join(notEmpty(w.Status, w.Message), ": "), ""}
	switch w.Status {
	case "unreachable":
		result.Advice = c.typed("unregister "+w.WorkerID) + " takes it out if it does not return"
		if strings.Contains(w.Message, "stopped in order") {
			result.Status = warn
			break
		}
		result.Advice = "does it run, and can this master reach " + w.Address + "? Its ADVERTISE_ADDR says where it is called"
	case "unhealthy":
		result.Advice = "look at the Docker engine on its machine: docker info"
	case "draining":
		result.Status = warn
		result.Advice = c.typed("undrain "+w.WorkerID) + " gives it tasks again"
	case "lost":
		result.Advice = "start it again on its machine; if it is gone for good: " + c.typed("unregister "+w.WorkerID+" --force")
	}
	return result
}

const (
	longQueue = 10 // tasks
	mostIdle  = 2  // a queue is odd when one part in so many is free
)

// checkQueue looks at what waits, and whether it should.
func (c *command) checkQueue(ctx context.Context, d *diagnosis) {
	state, err := c.client.Cluster(ctx)
	if err != nil {
		d.failed(c, "queue", err)
		return
	}
	hopeless, err := c.unschedulable(ctx)
	if err != nil {
		d.failed(c, "queue", err)
		return
	}
	free := state.Total.CPU - state.Allocated.CPU
	idle := free*mostIdle > state.Total.CPU && (state.Total.Memory-state.Allocated.Memory)*mostIdle > state.Total.Memory
	switch {
	case state.QueueLength-len(hopeless) >= longQueue && idle:
		d.add(check{
			"queue", warn, fmt.Sprintf("%d tasks wait though %s of %s cores are free", state.QueueLength, cores(free), cores(state.Total.CPU)),
			c.typed("queue") + " says why each of them waits",
		})
	case state.QueueLength == 0:
		d.add(check{"queue", fine, "nothing waits", ""})
	default:
		d.add(check{"queue", fine, plural(state.QueueLength, "task") + " waiting", ""})
	}
	for _, t := range hopeless {
		d.add(check{"task " + t.TaskID, warn, t.Waiting.Reason, t.Waiting.Suggestion})
	}
}

// unschedulable gives tasks that no worker could ever take, among the newest
// that wait.
func (c *command) unschedulable(ctx context.Context) ([]client.Task, error) {
	waiting, err := c.client.TaskPage(ctx, client.TaskQuery{Status: []string{"queued"}}, explained, "")
	if err != nil {
		return nil, err
	}
	var out []client.Task
	for _, t := range waiting.Items {
		t, err := c.client.Task(ctx, t.TaskID)
		if err != nil && !client.IsNotFound(err) {
			return nil, err
		}
		if err == nil && t.Waiting != nil && strings.HasPrefix(t.Waiting.Reason, "unschedulable") {
			out = append(out, t)
		}
	}
	return out, nil
}

// lately is how far back failures are looked for.
const lately = time.Hour

// checkFailures looks for results that could not be kept.
func (c *command) checkFailures(ctx context.Context, d *diagnosis) {
	found := false
	for _, of := range []struct{ failure, status, advice string }{
		{"upload", bad, "look at the free space of the master's FILES_DIR, and at the master's log"},
		{"storage", warn, "--storage gives a task more; explain says what it had"},
	} {
		const most = 1000
		q := client.TaskQuery{Status: []string{"failed"}, Failure: of.failure, Since: c.now().Add(-lately)}
		page, err := c.client.TaskPage(ctx, q, most, "")
		if err != nil {
			d.failed(c, "results", err)
			return
		}
		if len(page.Items) == 0 {
			continue
		}
		found = true
		t := page.Items[0]
		d.add(check{
			"results", of.status,
			fmt.Sprintf("%s of the last hour failed by %s, such as %s: %s", plural(len(page.Items), "task"), of.failure, t.TaskID, failureInWords(t)),
			of.advice,
		})
	}
	if !found {
		d.add(check{"results", fine, "none of the last hour was lost", ""})
	}
}

// where is the master that is called.
func (c *command) where() string {
	if c.server != "" {
		return c.server
	}
	return c.socket
}

// shortList names the first of many.
func shortList(all []string) string {
	const most = 5
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
}
