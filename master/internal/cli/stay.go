package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"cloudai/master/client"
)

// stayFlags say how long a command stays with the task that it hands in.
type stayFlags struct {
	wait, follow, quiet bool
}

func (f *stayFlags) bind(flags *pflag.FlagSet) {
	flags.BoolVar(&f.wait, "wait", false, "wait for the end")
	flags.BoolVar(&f.follow, "follow", false, "show the log until the end")
	flags.BoolVar(&f.quiet, "quiet", false, "no hints")
}

// check looks at the flags before anything is handed in.
func (f stayFlags) check(c *command) error {
	if f.follow && c.asDocument() {
		return usagef("--follow prints the log, not a document; use --wait with -o %s", c.output)
	}
	return nil
}

// handIn hands a task in and, when asked to, stays until its end.
func (c *command) handIn(ctx context.Context, f stayFlags, submit func() (client.Task, error)) error {
	t, err := submit()
	if err != nil {
		return c.unsure(err)
	}
	if !f.follow && !f.wait {
		return c.submitted(t, f.quiet)
	}
	if f.follow {
		if !f.quiet {
			c.err.line(c.err.paint(dim, "task "+t.TaskID))
		}
	} else if !c.asDocument() {
		c.out.line(t.TaskID)
	}
	t, err = c.watch(t, f.follow, f.quiet).run(ctx)
	if err != nil {
		return c.detached(ctx, t.TaskID, err)
	}
	if !f.quiet {
		c.verdict(t)
	}
	if c.asDocument() {
		if err := c.document(t); err != nil {
			return err
		}
	}
	return exitWith(exitCodeOf(t))
}

// unsure adds to an answer that did not come that the task may be there.
func (c *command) unsure(err error) error {
	var unreachable *client.UnreachableError
	if !errors.As(err, &unreachable) || neverReached(unreachable) {
		return err
	}
	return fmt.Errorf("%w\nWhether it took the task is not known; %s shows it if it did", err, c.typed("list-tasks"))
}

func (c *command) submitted(t client.Task, quiet bool) error {
	if c.asDocument() {
		return c.document(t)
	}
	c.out.line(t.TaskID)
	if !quiet {
		c.err.line(c.err.paint(dim, c.typed("logs -f "+t.TaskID)+" follows it, "+c.typed("explain "+t.TaskID)+" says how it stands"))
	}
	return nil
}

// detached says that the task runs on when the command was left; other errors
// pass.
func (c *command) detached(ctx context.Context, id string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if c.err.tty {
		c.err.line("") // after the ^C that the terminal shows
	}
	c.err.linef("left; task %s runs on: %s follows it again, %s stops it", id, c.typed("logs -f "+id), c.typed("cancel "+id))
	return exitError{exitCancelled}
}

// verdict says in one line how the task ended.
func (c *command) verdict(t client.Task) {
	line := "task " + t.TaskID + " " + c.err.paint(styleOf(t.Status), t.Status)
	if t.StartedAt != nil && t.FinishedAt != nil {
		line += " after " + roughly(t.FinishedAt.Sub(*t.StartedAt))
	}
	if why := failureInWords(t); why != "" {
		line += ": " + c.err.text(why)
	}
	c.err.line(line)
	if t.Usage != nil && t.Usage.OutputBytes > 0 {
		c.err.line(c.err.paint(dim, "it has left "+bytesInWords(t.Usage.OutputBytes)+" of files: "+c.typed("download "+t.TaskID)))
	}
}
