package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) workersCommand() *cobra.Command {
	return &cobra.Command{
		Use:        "workers",
		SuggestFor: []string{"nodes"},
		Short:      "List workers, what they have and what they do",
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
		c.err.line(c.err.paint(dim, "no worker is registered; start one with ./runWorker.sh"))
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

func workerNames() names[client.Worker] {
	return names[client.Worker]{one: "worker", many: "workers", lists: "workers", id: func(w client.Worker) string { return w.WorkerID }}
}

// worker gives the worker that the prefix means.
func (c *command) worker(ctx context.Context, prefix string) (client.Worker, error) {
	return workerNames().find(c.client.Workers(ctx), prefix)
}

// workerIDs completes the id of a worker as the first argument.
func (c *command) workerIDs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.connect(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := withPatience(cmd.Context())
	defer cancel()
	return workerNames().complete(c.client.Workers(ctx), typed)
}
