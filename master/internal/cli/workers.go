package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) workersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "List workers, what they have and what they do",
		Long: `Lists the workers. cpu, memory and so on are what is promised to tasks out of
what there is.`,
		Example:           "workers",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.workers(cmd.Context())
		},
	}
}

func (c *command) workers(ctx context.Context) error {
	var all []client.Worker
	for w, err := range c.client.Workers(ctx) {
		if err != nil {
			return err
		}
		all = append(all, w)
	}
	if c.asDocument() {
		return c.document(listOf(all))
	}
	if len(all) == 0 {
		c.err.line(c.err.paint(dim, "no worker has registered; start one with ./runWorker.sh"))
		return nil
	}
	out := table{head: []string{"WORKER", "STATUS", "TASKS", "CPU", "MEMORY", "STORAGE", "GPU", "HEARTBEAT", "ADDRESS", "LABELS"}}
	for _, w := range all {
		heartbeat := "none yet"
		if w.LastHeartbeat != nil {
			heartbeat = c.ago(*w.LastHeartbeat)
		}
		out.row(
			cell{w.WorkerID, plainly}, cell{w.Status, styleOf(w.Status)}, cell{number(w.RunningCount), plainly},
			cell{cores(w.Allocated.CPU) + " of " + cores(w.Total.CPU), plainly}, cell{share(w.Allocated.Memory, w.Total.Memory), plainly},
			cell{share(w.Allocated.Storage, w.Total.Storage), plainly}, cell{fmt.Sprintf("%d of %d", w.Allocated.GPU, w.Total.GPU), plainly},
			cell{heartbeat, plainly}, cell{w.Address, plainly}, cell{pairs(w.Labels), plainly},
		)
	}
	out.print(c.out, "")
	for _, w := range all {
		if w.Message != "" {
			c.out.linef("%s: %s", c.out.cell(w.WorkerID), c.out.cell(w.Message))
		}
	}
	return nil
}

func share(part, whole int64) string {
	if part == 0 {
		return "0 of " + mib(whole)
	}
	return mib(part) + " of " + mib(whole)
}

// worker gives the id that the prefix means.
func (c *command) worker(ctx context.Context, prefix string) (string, error) {
	var near []string
	for w, err := range c.client.Workers(ctx) {
		if err != nil {
			return "", err
		}
		if w.WorkerID == prefix {
			return prefix, nil
		}
		if strings.HasPrefix(w.WorkerID, prefix) {
			near = append(near, w.WorkerID)
		}
	}
	switch len(near) {
	case 0:
		return "", errors.New("there is no worker " + prefix + "; workers lists them")
	case 1:
		return near[0], nil
	}
	return "", errors.New(prefix + " begins the ids of several workers:\n  " + strings.Join(near, "\n  "))
}

// workerIDs completes the id of a worker as the first argument.
func (c *command) workerIDs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.connect(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := withPatience(cmd.Context())
	defer cancel()
	var ids []string
	for w, err := range c.client.Workers(ctx) {
		if err != nil || len(ids) == shownCompletions {
			break
		}
		ids = append(ids, w.WorkerID)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// statusStep is how often the live status is drawn anew.
const statusStep = time.Second

func (c *command) statusCommand() *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:               "status",
		Short:             "Show the cluster; live on a terminal, until Ctrl-C",
		Example:           "status\nstatus --once",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.out.tty && !once && !c.asDocument() {
				return c.liveStatus(cmd.Context())
			}
			state, err := c.client.Cluster(cmd.Context())
			if err != nil {
				return err
			}
			if c.asDocument() {
				return c.document(state)
			}
			statusTable(state).print(c.out, "")
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once and end")
	return cmd
}

// liveStatus draws the status over itself until Ctrl-C.
func (c *command) liveStatus(ctx context.Context) error {
	ticker := time.NewTicker(statusStep)
	defer ticker.Stop()
	drawn := 0
	for {
		state, err := c.client.Cluster(ctx)
		if ctx.Err() != nil {
			return nil // that is how it is left
		}
		if err != nil {
			return err
		}
		if drawn > 0 {
			fmt.Fprintf(c.out, "\x1b[%dA\x1b[J", drawn)
		}
		t := statusTable(state)
		t.print(c.out, "")
		c.out.line(c.out.paint(dim, "Ctrl-C leaves"))
		drawn = len(t.rows) + 1
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
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
