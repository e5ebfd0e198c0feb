package cli

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

// pruneFlags say what is to go.
type pruneFlags struct {
	tasks, logs, files, bytes string
	dry, yes                  bool
}

func (c *command) pruneCommand() *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove old tasks, logs and output files",
		Long: `Removes what is kept of finished tasks: by the age of their end, and logs and
output files also by their total size, those of the tasks that ended first.
Without --tasks, --logs, --files and --bytes it removes what the master's
settings (RETENTION_TASKS and so on) do not keep. With a task goes all that is
kept of it. What somebody reads stays, and so does a task that an active one
repeats. Ages are like 720h or 30d, 0 is everything that is over.`,
		Example:           "prune --dry-run\nprune --logs 30d --files 30d --dry-run\nprune --tasks 90d --bytes 50g --yes",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.prune(cmd.Context(), cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.tasks, "tasks", "", "tasks that ended so long ago, with their logs and files")
	flags.StringVar(&f.logs, "logs", "", "logs of tasks that ended so long ago")
	flags.StringVar(&f.files, "files", "", "output files of tasks that ended so long ago")
	flags.StringVar(&f.bytes, "bytes", "", "keep logs and files within this size: 512m, 50g")
	flags.BoolVar(&f.dry, "dry-run", false, "only say what would go")
	flags.BoolVar(&f.yes, "yes", false, "do not ask first; without a terminal nobody is asked")
	return cmd
}

func (c *command) prune(ctx context.Context, cmd *cobra.Command, f pruneFlags) error {
	r := client.PruneRequest{DryRun: f.dry}
	for name, to := range map[string]**string{"tasks": &r.Tasks, "logs": &r.Logs, "files": &r.Files} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			value := flag.Value.String()
			*to = &value
		}
	}
	if cmd.Flags().Changed("bytes") {
		n, err := parseAmount(f.bytes)
		if err != nil {
			return usagef("--bytes: %v", err)
		}
		r.Bytes = &n
	}
	if !f.dry && !f.yes && isTerminal(c.stdin) {
		ahead := r
		ahead.DryRun = true
		report, err := c.client.Prune(ctx, ahead)
		if err != nil {
			return err
		}
		if err := c.confirm(ctx, prunedInWords(report)+"; remove it?"); err != nil {
			return err
		}
	}
	report, err := c.client.Prune(ctx, r)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(report)
	}
	c.out.line(prunedInWords(report))
	if report.Kept > 0 {
		c.err.line(c.err.paint(dim, plural(report.Kept, "other task")+" left alone: somebody reads it, or an active task repeats it"))
	}
	return nil
}

func prunedInWords(r client.PruneReport) string {
	verb := "removed"
	if r.DryRun {
		verb = "would remove"
	}
	return verb + " " + plural(r.Tasks, "task") +
		", logs of " + plural(r.Logs.Tasks, "task") + " (" + bytesInWords(r.Logs.Bytes) +
		"), files of " + plural(r.Files.Tasks, "task") + " (" + bytesInWords(r.Files.Bytes) + ")"
}

// parseAmount reads bytes, or a size with its unit.
func parseAmount(text string) (int64, error) {
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return int64(n), nil
	}
	mib, err := parseSize(text)
	if err == nil && mib > math.MaxInt64>>20 {
		err = fmt.Errorf("%q is too large", text)
	}
	return mib << 20, err
}
