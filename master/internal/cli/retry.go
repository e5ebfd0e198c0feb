package cli

import (
	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) retryCommand() *cobra.Command {
	var f stayFlags
	cmd := &cobra.Command{
		Use:   "retry <task> [flags]",
		Short: "Submit a task that is over once more",
		Long: `Submits what a finished task asked for as a new task, and prints the new one's
id. --wait and --follow are as with task.`,
		Example:           "retry 4f2c --follow",
		Args:              arguments("a task"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			ctx := cmd.Context()
			id, err := c.task(ctx, args[0])
			if err != nil {
				return err
			}
			return c.handIn(ctx, f, func() (client.Task, error) { return c.client.Retry(ctx, id) })
		},
	}
	cmd.Flags().SortFlags = false
	f.bind(cmd.Flags())
	return cmd
}
