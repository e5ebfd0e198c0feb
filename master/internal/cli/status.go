package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) statusCommand() *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:               "status [flags]",
		Short:             "Show the cluster; live on a terminal, until Ctrl-C",
		Example:           "status\nstatus --once",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.status(cmd.Context(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once and end")
	return cmd
}

func (c *command) status(ctx context.Context, once bool) error {
	draw := func(ctx context.Context, out stream) error {
		state, err := c.client.Cluster(ctx)
		if err == nil {
			statusTable(state).print(out, "")
		}
		return err
	}
	switch {
	case c.asDocument():
		state, err := c.client.Cluster(ctx)
		if err != nil {
			return err
		}
		return c.document(state)
	case c.out.tty && !once:
		return c.live(ctx, draw)
	}
	return draw(ctx, c.out)
}

func statusTable(s client.Cluster) *table {
	var t table
	add := func(name, text string) { t.row(cell{name, dim}, cell{text, plainly}) }
	add("cluster", s.ClusterID)
	add("workers", counts(s.Workers, []string{"active", "unreachable", "unhealthy", "draining", "lost"}, "none"))
	add("tasks", counts(s.Tasks, statuses, "none"))
	add("queue", number(s.QueueLength))
	add("cpu", cores(s.Allocated.CPU)+" of "+cores(s.Total.CPU))
	add("memory", share(s.Allocated.Memory, s.Total.Memory))
	add("storage", share(s.Allocated.Storage, s.Total.Storage))
	add("gpu", fmt.Sprintf("%d of %d", s.Allocated.GPU, s.Total.GPU))
	return &t
}

// counts names what there is, in the given order.
func counts(of map[string]int, order []string, none string) string {
	var out []string
	for _, name := range order {
		if n := of[name]; n > 0 {
			out = append(out, number(n)+" "+name)
		}
	}
	if len(out) == 0 {
		return none
	}
	return strings.Join(out, ", ")
}
