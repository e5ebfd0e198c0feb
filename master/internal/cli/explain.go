package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain <task>",
		Short: "Say what became of a task: its timeline, why it waits or failed",
		Long: `Shows what was asked, each attempt with the states it went through and the time
it spent in them, why the task waits (worker by worker), or why it failed.`,
		Example:           "explain 4f2c",
		Args:              arguments("a task"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.explain(cmd.Context(), args[0])
		},
	}
}

// explanation is the document of explain.
type explanation struct {
	Task   client.Task    `json:"task"`
	Events []client.Event `json:"events"`
}

func (c *command) explain(ctx context.Context, prefix string) error {
	id, err := c.task(ctx, prefix)
	if err != nil {
		return err
	}
	t, err := c.client.Task(ctx, id)
	if err != nil {
		return err
	}
	doc := explanation{Task: t, Events: []client.Event{}}
	for e, err := range c.client.Events(ctx, id) {
		if err != nil {
			return err
		}
		doc.Events = append(doc.Events, e)
	}
	if c.asDocument() {
		return c.document(doc)
	}
	c.explainTask(t)
	c.explainWaiting(t)
	c.explainTimeline(t, doc.Events)
	return nil
}

func (c *command) explainTask(t client.Task) {
	var about table
	add := func(name, text string, how style) {
		if text != "" {
			about.row(cell{name, dim}, cell{text, how})
		}
	}
	add("task", t.TaskID, bold)
	add("name", t.Name, plainly)
	add("runs", commandInWords(t), plainly)
	asks := fmt.Sprintf("cpu %s, memory %s, storage %s", cores(t.CPURequired), mib(t.MemoryRequired), mib(t.StorageRequired))
	if t.GPURequired > 0 {
		asks += fmt.Sprintf(", gpu %d", t.GPURequired)
	}
	if t.Timeout != "" {
		asks += ", timeout " + t.Timeout
	}
	add("asks", asks, plainly)
	add("user", t.UserID, plainly)
	add("labels", pairs(t.Labels), plainly)
	add("constraints", pairs(t.Constraints), plainly)
	add("only on", t.TargetWorkerID, plainly)
	add("status", t.Status, styleOf(t.Status))
	if t.CancelRequested && !t.Terminal() {
		add("", "a cancel was asked for", yellow)
	}
	if t.Failure != "" {
		add("failed by", failureInWords(t), red)
		add("advice", advice(t), plainly)
	} else if t.Terminal() {
		add("why", t.Message, plainly)
	}
	if t.Usage != nil {
		add("used", used(*t.Usage), plainly)
	}
	about.print(c.out, "")
}

// explainWaiting says why the task has no worker yet.
func (c *command) explainWaiting(t client.Task) {
	w := t.Waiting
	if w == nil {
		return
	}
	place := ""
	if w.QueuePosition > 0 {
		place = fmt.Sprintf(", place %d in the queue", w.QueuePosition)
	}
	c.out.linef("\n%s%s: %s", c.out.paint(bold, "waits"), place, c.out.cell(w.Reason))
	var workers table
	for _, r := range w.Workers {
		workers.row(cell{r.WorkerID, plainly}, cell{r.Reason, plainly})
	}
	workers.print(c.out, "  ")
	if w.Suggestion != "" {
		c.out.linef("  %s %s", c.out.paint(dim, "→"), c.out.cell(w.Suggestion))
	}
}

// explainTimeline prints each attempt's states with the time spent in them.
func (c *command) explainTimeline(t client.Task, events []client.Event) {
	events = whenEntered(events)
	for start := 0; start < len(events); {
		end := start
		for end < len(events) && events[end].Attempt == events[start].Attempt {
			end++
		}
		c.explainAttempt(t, events[start:end], events[end:])
		start = end
	}
}

func (c *command) explainAttempt(t client.Task, events, later []client.Event) {
	number := events[0].Attempt
	title := fmt.Sprintf("attempt %d", number)
	result := ""
	for _, a := range t.Attempts {
		if a.Attempt != number {
			continue
		}
		title += " on " + c.out.cell(a.WorkerID)
		if a.Outcome != "" && a.Outcome != "success" {
			result = a.Outcome
			if a.Failure != "" {
				result += ": " + c.out.cell(strings.Join(notEmpty(strings.ReplaceAll(a.Failure, "_", " "), a.Message), ": "))
			}
			result = ", " + c.out.paint(red, result)
		}
	}
	c.out.linef("\n%s, %s%s", c.out.paint(bold, title), c.date(events[0].Time), result)
	var timeline table
	timeline.head = []string{"TIME", "STAYED", "STATE", ""}
	for i, e := range events {
		next := later
		if i+1 < len(events) {
			next = events[i+1:]
		}
		stayed := ""
		switch {
		case len(next) > 0:
			stayed = roughly(next[0].Time.Sub(e.Time))
		case !t.Terminal():
			stayed = roughly(c.now().Sub(e.Time)) + " so far"
		}
		state := e.State
		if e.Cause == "cancel_requested" {
			state = ""
		}
		timeline.row(cells(c.clock(e.Time), stayed, state, noteOf(e))...)
	}
	timeline.print(c.out, "  ")
}

// whenEntered gives each event the time at which its state was entered, as far
// as that is known: the worker's, kept between the event before and the moment
// when the master learnt of it. Short tasks report all their states at once.
func whenEntered(events []client.Event) []client.Event {
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		if e.WorkerTime != nil && e.WorkerTime.Before(e.Time) {
			e.Time = *e.WorkerTime
		}
		if i > 0 && e.Time.Before(events[i-1].Time) {
			e.Time = events[i-1].Time
		}
	}
	return events
}

func notEmpty(texts ...string) []string {
	var out []string
	for _, text := range texts {
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}

// used leaves out what was not measured: a container that ended at once.
func used(u client.Usage) string {
	words := fmt.Sprintf("log %s, output %s", bytesInWords(u.LogBytes), bytesInWords(u.OutputBytes))
	if u.CPUSeconds > 0 || u.MemoryPeak > 0 {
		words = fmt.Sprintf("%.1f s of cpu, memory %s at most, ", u.CPUSeconds, mib(int64(u.MemoryPeak+0.5))) + words
	}
	return words
}
