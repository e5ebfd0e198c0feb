package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

// taskFlags are the flags of task and dispatch.
type taskFlags struct {
	name, cpu, mem, storage, timeout, network, command string
	env, labels, constraints                           []string
	gpu, priority, retries                             int
	stayFlags
}

const taskLong = `Submits a task and prints its id. What follows -- are the arguments of the
container, as in docker run; --command goes through /bin/sh -c instead; without
either the image's own command runs. The container's folder /output is kept.

With --wait or --follow the exit code is the task's own; 124 means that its
timeout passed, 125 that no container ran, 130 that it was cancelled. Ctrl-C
leaves the command; the task runs on.`

func (c *command) taskCommand() *cobra.Command {
	var f taskFlags
	cmd := &cobra.Command{
		Use:        "task <image> [flags] [-- args]",
		SuggestFor: []string{"submit", "run", "start"},
		Short:      "Submit a task",
		Long:       taskLong,
		Example: `task alpine --follow -- echo hi
task alpine --cpu 0.5 --mem 64m --timeout 90s --command 'ls / | wc -l'
task alpine --name nightly -e DAY=monday --label team=blue --retries 2`,
		Args: func(cmd *cobra.Command, args []string) error {
			return c.taskArgs(cmd, args, "an image")
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.submit(cmd, &f, "", args[0], args[1:])
		},
	}
	f.bind(cmd)
	c.untangleFlags(cmd, 1)
	return cmd
}

func (c *command) dispatchCommand() *cobra.Command {
	var f taskFlags
	cmd := &cobra.Command{
		Use:     "dispatch <worker> <image> [flags] [-- args]",
		Short:   "Submit a task for one certain worker",
		Long:    "Submits a task that only this worker may run. All else is as with task.\n\n" + taskLong,
		Example: "dispatch w1 alpine --follow -- echo hi",
		Args: func(cmd *cobra.Command, args []string) error {
			return c.taskArgs(cmd, args, "a worker", "an image")
		},
		ValidArgsFunction: c.workerIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.submit(cmd, &f, args[0], args[1], args[2:])
		},
	}
	f.bind(cmd)
	c.untangleFlags(cmd, 2)
	return cmd
}

func (f *taskFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.name, "name", "", "a `name` for people")
	flags.StringVar(&f.cpu, "cpu", "", "`cores`, such as 0.5 (default 1)")
	flags.StringVar(&f.mem, "mem", "", "memory, a `size` such as 512m or 2g (default 512m)")
	flags.StringVar(&f.storage, "storage", "", "what it may write, a `size` such as 500m (default 1g)")
	flags.IntVar(&f.gpu, "gpu", 0, "`number` of GPUs")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "`NAME=value` of the environment; may be repeated")
	flags.StringVar(&f.timeout, "timeout", "", "`duration` from the container's start, such as 90s or 2h (default none)")
	flags.IntVar(&f.priority, "priority", 50, "a `number` from 0 to 100, higher first")
	flags.IntVar(&f.retries, "retries", 0, "`number` of further attempts after a failure of the task")
	flags.StringArrayVar(&f.labels, "label", nil, "`name=value` for filters; may be repeated")
	flags.StringArrayVar(&f.constraints, "constraint", nil, "`name=value` that the worker must have; may be repeated")
	flags.StringVar(&f.network, "network", "", "`name`: bridge or none (default bridge)")
	flags.StringVar(&f.command, "command", "", "run this `line` with /bin/sh -c")
	f.stayFlags.bind(flags)
	_ = cmd.RegisterFlagCompletionFunc("network", cobra.FixedCompletions([]string{"bridge", "none"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// request is what the flags ask for; the master has the last word on it.
func (f *taskFlags) request(cmd *cobra.Command) (client.TaskRequest, error) {
	r := client.TaskRequest{Name: f.name, Command: f.command, Timeout: f.timeout, Network: f.network}
	var errs []error
	flag := func(name string, err error) {
		if err != nil {
			errs = append(errs, usagef("--%s: %v", name, err))
		}
	}
	given := cmd.Flags().Changed
	if given("cpu") {
		cpu, err := parseCPU(f.cpu)
		r.CPURequired = &cpu
		flag("cpu", err)
	}
	if given("mem") {
		mem, err := parseSize(f.mem)
		r.MemoryRequired = &mem
		flag("mem", err)
	}
	if given("storage") {
		storage, err := parseSize(f.storage)
		r.StorageRequired = &storage
		flag("storage", err)
	}
	if given("timeout") {
		flag("timeout", parseDuration(f.timeout))
	}
	if given("gpu") {
		r.GPURequired = &f.gpu
	}
	if given("priority") {
		r.Priority = &f.priority
	}
	if given("retries") {
		r.MaxRetries = &f.retries
	}
	var err error
	r.Env, err = parsePairs(f.env)
	flag("env", err)
	r.Labels, err = parsePairs(f.labels)
	flag("label", err)
	r.Constraints, err = parsePairs(f.constraints)
	flag("constraint", err)
	if len(errs) > 0 {
		return r, usageError{errors.Join(errs...).Error()}
	}
	return r, nil
}

// submit hands the task in; an empty worker is any.
func (c *command) submit(cmd *cobra.Command, f *taskFlags, worker, image string, args []string) error {
	if err := f.check(c); err != nil {
		return err
	}
	r, err := f.request(cmd)
	if err != nil {
		return err
	}
	if len(args) > 0 && f.command != "" {
		return usagef("give --command or arguments after --, not both")
	}
	ctx := cmd.Context()
	r.DockerImage, r.Args = image, args
	if worker != "" {
		w, err := c.worker(ctx, worker)
		if err != nil {
			return err
		}
		r.TargetWorkerID = w.WorkerID
	}
	return c.handIn(ctx, f.stayFlags, func() (client.Task, error) { return c.client.Submit(ctx, r) })
}
