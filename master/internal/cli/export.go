package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) exportCommand() *cobra.Command {
	var status []string
	var since, until string
	cmd := &cobra.Command{
		Use:   "export [task] [flags]",
		Short: "Write tasks with their timelines as lines of JSON",
		Long: `Writes all tasks with each change of their states, newest first, one JSON object
per line; with a task, its timeline alone. --since and --until look at when a task
was created: a time like 2026-01-31T12:00:00Z, a day like 2026-01-31, or how long
ago, like 720h or 30d. --user NAME, on the master's machine, gives one person's.`,
		Example:           "export --since 7d --status failed\nexport 1a2b3c",
		Args:              arguments("[task]"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := client.TaskQuery{Status: status}
			var err error
			if q.Since, err = c.moment(since); err != nil {
				return usagef("--since: %v", err)
			}
			if q.Until, err = c.moment(until); err != nil {
				return usagef("--until: %v", err)
			}
			return c.export(cmd.Context(), args, q)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&status, "status", nil, "only these: "+strings.Join(statuses, ", "))
	flags.StringVar(&since, "since", "", "created then or later")
	flags.StringVar(&until, "until", "", "created before")
	return cmd
}

func (c *command) export(ctx context.Context, args []string, q client.TaskQuery) error {
	if len(args) == 0 {
		return c.client.Export(ctx, q, c.out)
	}
	id, err := c.task(ctx, args[0])
	if err != nil {
		return err
	}
	return c.client.ExportEvents(ctx, id, c.out)
}

// moment reads a time, a day, or how long ago; zero for none.
func (c *command) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	const day = 24 * time.Hour
	if days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil && strings.HasSuffix(text, "d") {
		return c.now().Add(-time.Duration(days) * day), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return c.now().Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time like 2026-01-31T12:00:00Z, nor a day, nor an age like 720h or 30d", text)
}
