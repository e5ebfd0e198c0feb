package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (c *command) joinCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "join",
		Short: "Print the command that starts a worker on another machine",
		Long: `Prints what to type on another machine so that a worker there joins this
cluster. The command holds the join token, which is a secret.`,
		Example:           "join",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.join(cmd.Context())
		},
	}
}

func (c *command) join(ctx context.Context) error {
	j, err := c.client.Join(ctx)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(j)
	}
	c.out.line(c.out.text(j.Command))
	if j.Note != "" {
		c.err.line(c.err.paint(yellow, "note: ") + c.err.text(j.Note))
	}
	c.err.line(c.err.paint(dim, "the command holds the join token, a secret: who has it can add a worker and be given tasks"))
	return nil
}
