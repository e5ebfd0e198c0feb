package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) registerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "register <id> <addr>",
		Short: "Call a worker and take it in",
		Long: `Has the master call a worker that listens at host:port and take it in, also one
that was taken out before. The worker must be started with this master's join
token: the token itself is not sent there.`,
		Example:           "register w1 10.0.0.7:50052",
		Args:              arguments("a worker's id", "its address, host:port"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.register(cmd.Context(), args[0], args[1])
		},
	}
}

func (c *command) register(ctx context.Context, id, address string) error {
	w, err := c.client.RegisterWorker(ctx, id, address)
	if err != nil {
		return inWordsOf(err, map[string]string{"worker_id": "id", "address": "addr"})
	}
	if c.asDocument() {
		return c.document(w)
	}
	c.err.linef("worker %s at %s is %s", c.err.cell(w.WorkerID), c.err.cell(w.Address), c.err.paint(styleOf(w.Status), c.err.cell(w.Status)))
	if w.Message != "" {
		c.err.line(c.err.text(w.Message))
	}
	return nil
}

// inWordsOf renames the fields that the master complains about to what this
// command calls them.
func inWordsOf(err error, names map[string]string) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	renamed := *refused
	renamed.Fields = nil
	for _, f := range refused.Fields {
		if name := names[f.Location]; name != "" {
			f.Location = name
		}
		renamed.Fields = append(renamed.Fields, f)
	}
	return &renamed
}

func (c *command) unregisterCommand() *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "unregister <worker> [flags]",
		Short: "Take a worker out, and bar its id",
		Long: `Takes a worker out of the cluster. Its id is barred until it is registered
again. A worker that has tasks stays, unless it is forced out: then its tasks
are stopped there and run elsewhere. drain lets it finish them first.`,
		Example:           "unregister w1\nunregister w1 --force",
		Args:              arguments("a worker"),
		ValidArgsFunction: c.workerIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.unregister(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also when it has tasks")
	return cmd
}

func (c *command) unregister(ctx context.Context, prefix string, force bool) error {
	before, err := c.worker(ctx, prefix)
	if err != nil {
		return err
	}
	id := before.WorkerID
	if err := c.client.RemoveWorker(ctx, id, force); err != nil {
		if client.IsConflict(err) {
			return advised(err, c.typed("drain "+id)+" lets it finish them; "+c.typed("unregister "+id+" --force")+" takes it out at once")
		}
		return err
	}
	if c.asDocument() {
		return c.document(before)
	}
	c.err.linef("worker %s is taken out; its id is barred until register %s %s", c.err.cell(id), c.err.cell(id), c.err.cell(before.Address))
	if before.RunningCount > 0 {
		c.err.linef("what it had to do runs elsewhere: %s", plural(before.RunningCount, "task"))
	}
	return nil
}

func (c *command) drainCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "drain <worker>",
		Short:             "Give a worker no more tasks; it finishes what it has",
		Example:           "drain w1",
		Args:              arguments("a worker"),
		ValidArgsFunction: c.workerIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.onWorker(cmd.Context(), args[0], c.client.Drain, func(w client.Worker) {
				does := "it has none to finish"
				if w.RunningCount > 0 {
					does = "it still finishes " + plural(w.RunningCount, "task")
				}
				c.err.linef("worker %s gets no more tasks; %s. %s gives it tasks again", c.err.cell(w.WorkerID), does, c.err.cell(c.typed("undrain "+w.WorkerID)))
			})
		},
	}
}

func (c *command) undrainCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "undrain <worker>",
		Short:             "Give a drained worker tasks again",
		Example:           "undrain w1",
		Args:              arguments("a worker"),
		ValidArgsFunction: c.workerIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.onWorker(cmd.Context(), args[0], c.client.Undrain, func(w client.Worker) {
				c.err.linef("worker %s is %s", c.err.cell(w.WorkerID), c.err.paint(styleOf(w.Status), c.err.cell(w.Status)))
				if w.Message != "" {
					c.err.line(c.err.text(w.Message))
				}
			})
		},
	}
}

// onWorker makes a call about a worker and says what became of it.
func (c *command) onWorker(ctx context.Context, prefix string, call func(context.Context, string) (client.Worker, error), tell func(client.Worker)) error {
	w, err := c.worker(ctx, prefix)
	if err != nil {
		return err
	}
	if w, err = call(ctx, w.WorkerID); err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(w)
	}
	tell(w)
	return nil
}
