package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

// cancelFlags say which tasks are stopped in place of those named.
type cancelFlags struct {
	status, name, worker, owner, text string
	labels                            []string
	all, dry, yes                     bool
}

func (c *command) cancelCommand() *cobra.Command {
	var f cancelFlags
	cmd := &cobra.Command{
		Use:        "cancel [task...] [flags]",
		SuggestFor: []string{"kill", "stop", "rm", "delete"},
		Short:      "Stop tasks",
		Long: `Takes a waiting task out of the queue at once. A running one is sent TERM, and
KILL after its grace period; what it has written until then is kept. In place of
tasks by id, flags name all that they take, or --all every task that you may
stop; on a terminal they are counted first, and you are asked.`,
		Example:           "cancel 4f2c\ncancel --status queued --label team=blue --dry-run\ncancel --name nightly- --yes",
		Args:              arguments("[task...]"),
		ValidArgsFunction: c.taskIDs(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			filtered := f.all || f.status+f.name+f.worker+f.owner+f.text != "" || len(f.labels) > 0
			switch {
			case len(args) > 0 && (filtered || f.dry):
				return usagef("cancel takes tasks, or flags that name them, not both")
			case len(args) > 0:
				return c.cancel(cmd.Context(), args)
			case !filtered:
				return usagef("cancel needs a task, or flags such as --status queued; --all is every task\n%s", seeHelp(cmd))
			}
			return c.cancelMany(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.status, "status", "", "in this state: queued, assigned, running; commas between several")
	flags.StringVar(&f.name, "name", "", "the name begins with this")
	flags.StringArrayVar(&f.labels, "label", nil, "name=value; may be repeated")
	flags.StringVar(&f.worker, "worker", "", "on this worker")
	flags.StringVar(&f.owner, "owner", "", "of this user, by id; for administrators")
	flags.StringVar(&f.text, "search", "", "in name, image or id")
	flags.BoolVar(&f.all, "all", false, "every task that you may stop")
	flags.BoolVar(&f.dry, "dry-run", false, "only count")
	flags.BoolVar(&f.yes, "yes", false, "do not ask first; without a terminal nobody is asked")
	return cmd
}

func (f cancelFlags) filter() (*client.CancelFilter, error) {
	out := &client.CancelFilter{Name: f.name, WorkerID: f.worker, UserID: f.owner, Q: f.text}
	if f.status != "" {
		out.Status = strings.Split(f.status, ",")
	}
	for _, label := range f.labels {
		name, value, ok := strings.Cut(label, "=")
		if !ok || name == "" {
			return nil, usagef("--label: %q is not name=value", label)
		}
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels[name] = value
	}
	return out, nil
}

func (c *command) cancelMany(ctx context.Context, f cancelFlags) error {
	filter, err := f.filter()
	if err != nil {
		return err
	}
	if !f.dry && !f.yes && isTerminal(c.stdin) {
		ahead, err := c.client.CancelTasks(ctx, client.CancelRequest{Filter: filter, DryRun: true})
		if err != nil {
			return err
		}
		if err := c.confirm(ctx, "cancel "+plural(ahead.Matched, "task")+"?"); err != nil {
			return err
		}
	}
	reply, err := c.client.CancelTasks(ctx, client.CancelRequest{Filter: filter, DryRun: f.dry})
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(reply)
	}
	if reply.DryRun {
		c.out.linef("would cancel %s", plural(reply.Matched, "task"))
		return nil
	}
	c.out.linef("%s cancelled, %d being stopped", plural(reply.Cancelled, "task"), reply.Requested)
	return nil
}
