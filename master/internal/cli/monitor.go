package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) monitorCommand() *cobra.Command {
	return &cobra.Command{
		Use:        "monitor <task>",
		SuggestFor: []string{"watch", "attach"},
		Short:      "Show a task's states and log live, to its end",
		Long: `Shows each state as the task enters it, and its log, until it is over. The exit
code is the task's own, as with task --wait. Ctrl-C leaves; the task runs on.`,
		Example:           "monitor 4f2c",
		Args:              arguments("a task"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.asDocument() {
				return usagef("monitor is for people; explain -o %s gives a document", c.output)
			}
			return c.monitor(cmd.Context(), args[0])
		},
	}
}

func (c *command) monitor(ctx context.Context, prefix string) error {
	id, err := c.task(ctx, prefix)
	if err != nil {
		return err
	}
	t, err := c.client.Task(ctx, id)
	if err != nil {
		return err
	}
	title := "task " + t.TaskID
	if t.Name != "" {
		title += " " + c.err.cell(t.Name)
	}
	c.err.linef("%s: %s", c.err.paint(bold, title), c.err.cell(commandInWords(t)))
	w := c.watch(t, true, false)
	states := stateTeller{c: c, note: w.note}
	w.tell = func(t client.Task) {
		states.tell(ctx, t)
		w.hints(t)
	}
	w.tell(t)
	t, err = w.run(ctx)
	if err != nil {
		return c.detached(ctx, id, err)
	}
	states.tell(ctx, t)
	c.verdict(t)
	return exitWith(exitCodeOf(t))
}

// stateTeller prints each event of a task once.
type stateTeller struct {
	c       *command
	note    func(string)
	version int64 // of the task when last told
	seq     int   // of the last event told
}

func (s *stateTeller) tell(ctx context.Context, t client.Task) {
	if t.Version == s.version {
		return
	}
	s.version = t.Version
	for e, err := range s.c.client.Events(ctx, t.TaskID) {
		if err != nil {
			s.version = 0 // next time
			return
		}
		if e.Seq > s.seq {
			s.seq = e.Seq
			s.note(s.c.clock(e.Time) + " " + eventInWords(e))
		}
	}
}

// eventInWords is an event in one line.
func eventInWords(e client.Event) string {
	words := []string{e.State}
	if e.Cause == "cancel_requested" {
		words = nil // the note says it
	} else if e.WorkerID != "" && (e.State == "assigned" || e.State == "running") {
		words = append(words, "on", cleanCell(e.WorkerID))
	}
	if note := noteOf(e); note != "" && len(words) == 0 {
		words = append(words, note)
	} else if note := noteOf(e); note != "" {
		words = append(words, "("+note+")")
	}
	if e.Attempt > 1 {
		words = append([]string{"attempt " + number(e.Attempt) + ":"}, words...)
	}
	return strings.Join(words, " ")
}
