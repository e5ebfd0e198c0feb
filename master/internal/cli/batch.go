package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

// batchFlags say how many tasks are handed in.
type batchFlags struct {
	atomic, quiet bool
	key           string
}

func (c *command) batchCommand() *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch <file> [flags]",
		Short: "Submit many tasks from a file",
		Long: `Submits the tasks of a file, up to 10,000, in one request; - is the standard
input. The file has one JSON object per line, with the fields of POST /api/tasks
(docker_image, args, name, cpu_required and so on). The ids go to standard
output, one per line in the order of the file, and what is wrong to standard
error, with its line; the others are taken all the same, but with --atomic.
Sent again under the same --key, the same file makes nothing new.`,
		Example: "batch tasks.ndjson\nbatch tasks.ndjson --atomic --key nightly-2026-11-26",
		Args:    arguments("a file"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.batch(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.atomic, "atomic", false, "all or none")
	flags.StringVar(&f.key, "key", "", "the request's own name: sent again, it makes nothing new")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "do not print the ids")
	return cmd
}

func (c *command) batch(ctx context.Context, file string, f batchFlags) error {
	tasks, err := c.readTasks(file)
	if err != nil {
		return err
	}
	if f.key == "" {
		f.key = client.NewKey()
	}
	reply, err := c.client.SubmitBatchOnce(ctx, f.key, client.BatchRequest{Tasks: tasks, Atomic: f.atomic})
	if err != nil {
		return err
	}
	if c.asDocument() {
		if err := c.document(reply); err != nil {
			return err
		}
	}
	for i, item := range reply.Items {
		switch {
		case item.TaskID == "":
			for _, e := range item.Errors {
				c.err.linef("task %d: %s: %s", i+1, c.err.cell(e.Location), c.err.cell(e.Message))
			}
		case !f.quiet && !c.asDocument():
			c.out.line(item.TaskID)
		}
	}
	c.err.line(c.err.paint(dim, fmt.Sprintf("%d submitted, %d refused", reply.Accepted, reply.Rejected)))
	if reply.Rejected > 0 {
		return exitWith(exitFailed)
	}
	return nil
}

// maxTasks is what one request may have.
const maxTasks = 10_000

// readTasks reads one task after the other. Their fields are checked by the
// master, but for those that it does not know: they would be lost here.
func (c *command) readTasks(file string) ([]client.TaskRequest, error) {
	var in io.Reader = c.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usagef("%v", err)
		}
		defer f.Close()
		in = f
	} else if c.stdin == nil || c.mode != modeOnce {
		return nil, usagef("- is for commands of their own, bin/master cli ...; here it needs a file")
	}
	var tasks []client.TaskRequest
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	for {
		var task client.TaskRequest
		switch err := dec.Decode(&task); {
		case errors.Is(err, io.EOF) && len(tasks) == 0:
			return nil, usagef("%s has no tasks", file)
		case errors.Is(err, io.EOF):
			return tasks, nil
		case err != nil:
			return nil, usagef("%s, task %d: %v", file, len(tasks)+1, err)
		case len(tasks) == maxTasks:
			return nil, usagef("%s has more than %d tasks; split it", file, maxTasks)
		}
		tasks = append(tasks, task)
	}
}
