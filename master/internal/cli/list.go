package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

var statuses = []string{"queued", "assigned", "running", "succeeded", "failed", "cancelled"}

// listFlags narrow a list of tasks.
type listFlags struct {
	name, worker, failure, text string
	labels                      []string
	limit                       int
	all                         bool
}

func (c *command) listCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:        "list-tasks [status] [flags]",
		SuggestFor: []string{"tasks", "ls", "ps"},
		Short:      "List tasks, newest first",
		Long: "Lists tasks, newest first. Status is one of " + strings.Join(statuses, ", ") + ",\n" +
			"or several of them with commas between.",
		Example: `list-tasks
list-tasks queued,running
list-tasks failed --label team=blue --limit 200`,
		Args: arguments("[status]"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return statuses, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.listTasks(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.name, "name", "", "the name begins with this")
	flags.StringVar(&f.worker, "worker", "", "on this worker")
	flags.StringVar(&f.failure, "failure", "", "failed in this way")
	flags.StringArrayVar(&f.labels, "label", nil, "name=value; may be repeated")
	flags.StringVar(&f.text, "search", "", "in name, image or id")
	flags.IntVar(&f.limit, "limit", 50, "at most so many")
	flags.BoolVar(&f.all, "all", false, "without a limit")
	return cmd
}

func (c *command) listTasks(ctx context.Context, f listFlags, args []string) error {
	q := client.TaskQuery{Name: f.name, WorkerID: f.worker, Failure: f.failure, Text: f.text}
	if len(args) > 0 {
		q.Status = strings.Split(args[0], ",")
		for _, status := range q.Status {
			if !slices.Contains(statuses, status) {
				return usagef("%q is not a status; they are %s", status, strings.Join(statuses, " "))
			}
		}
	}
	var err error
	if q.Labels, err = parsePairs(f.labels); err != nil {
		return usagef("--label: %v", err)
	}
	if f.limit < 1 {
		return usagef("--limit: must be 1 or more")
	}
	tasks, more, err := c.collect(ctx, q, f)
	if err != nil {
		return err
	}
	if c.asDocument() {
		err = c.document(listOf(tasks))
	} else {
		c.taskTable(tasks)
	}
	if more {
		c.err.line(c.err.paint(dim, "there are more; --limit or --all shows them"))
	}
	return err
}

// collect gives the tasks up to the limit, and whether there are more.
func (c *command) collect(ctx context.Context, q client.TaskQuery, f listFlags) (tasks []client.Task, more bool, err error) {
	const largestPage = 1000
	if !f.all && f.limit <= largestPage {
		page, err := c.client.TaskPage(ctx, q, f.limit, "")
		return page.Items, page.NextCursor != "", err
	}
	for t, err := range c.client.Tasks(ctx, q) {
		if err != nil {
			return nil, false, err
		}
		if !f.all && len(tasks) == f.limit {
			return tasks, true, nil
		}
		tasks = append(tasks, t)
	}
	return tasks, false, nil
}

const longestName = 40 // columns

func (c *command) taskTable(tasks []client.Task) {
	if len(tasks) == 0 {
		c.err.line(c.err.paint(dim, "no tasks"))
		return
	}
	out := table{head: []string{"TASK", "NAME", "IMAGE", "STATUS", "WORKER", "CREATED", "TOOK", "RESULT"}}
	for _, t := range tasks {
		took := ""
		if t.StartedAt != nil {
			end := c.now()
			if t.FinishedAt != nil {
				end = *t.FinishedAt
			}
			took = roughly(end.Sub(*t.StartedAt))
		}
		out.row(
			cell{t.TaskID, plainly}, cell{shorten(t.Name, longestName), plainly}, cell{shorten(t.DockerImage, longestName), plainly},
			cell{t.Status, styleOf(t.Status)}, cell{t.WorkerID, plainly}, cell{c.ago(t.CreatedAt), plainly}, cell{took, plainly},
			cell{resultOf(t), plainly},
		)
	}
	out.print(c.out, "")
}

// resultOf is the end of a task, or what it does, in a word or two.
func resultOf(t client.Task) string {
	switch {
	case t.Failure == "exit" && t.ExitCode != nil:
		return "exit code " + number(*t.ExitCode)
	case t.Failure != "":
		return strings.ReplaceAll(t.Failure, "_", " ")
	case t.Terminal():
		return ""
	case t.CancelRequested:
		return "cancel requested"
	case t.Attempt > 1:
		return "attempt " + number(t.Attempt)
	}
	return ""
}

func (c *command) queueCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "queue",
		Short:             "Show the waiting tasks in their order, and why they wait",
		Example:           "queue",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.queue(cmd.Context())
		},
	}
}

// explained is for how many of the queue's tasks the reasons are asked for.
const explained = 20

func (c *command) queue(ctx context.Context) error {
	var tasks []client.Task
	for t, err := range c.client.Tasks(ctx, client.TaskQuery{Status: []string{"queued"}}) {
		if err != nil {
			return err
		}
		tasks = append(tasks, t)
	}
	place := func(t client.Task) int {
		if t.QueuePosition == nil {
			return 1 << 30
		}
		return *t.QueuePosition
	}
	slices.SortStableFunc(tasks, func(a, b client.Task) int { return cmp.Compare(place(a), place(b)) })
	for i := range tasks[:min(len(tasks), explained)] {
		t, err := c.client.Task(ctx, tasks[i].TaskID)
		if err != nil && !client.IsNotFound(err) {
			return err
		}
		if err == nil {
			tasks[i] = t
		}
	}
	if c.asDocument() {
		return c.document(listOf(tasks))
	}
	if len(tasks) == 0 {
		c.err.line(c.err.paint(dim, "nothing waits"))
		return nil
	}
	out := table{head: []string{"#", "TASK", "NAME", "PRIORITY", "ASKS", "SINCE", "WAITS"}}
	for _, t := range tasks {
		position, reason := "", ""
		if t.QueuePosition != nil {
			position = number(*t.QueuePosition)
		}
		if t.Waiting != nil {
			reason = t.Waiting.Reason
		} else if t.Status != "queued" {
			reason = "placed just now"
		}
		asks := cores(t.CPURequired) + " cpu, " + mib(t.MemoryRequired)
		if t.GPURequired > 0 {
			asks += ", " + number(t.GPURequired) + " gpu"
		}
		out.row(cells(position, t.TaskID, shorten(t.Name, longestName), number(t.Priority), asks, c.ago(t.CreatedAt), reason)...)
	}
	out.print(c.out, "")
	return nil
}

// cancel tries all of them and fails when one of them failed.
func (c *command) cancel(ctx context.Context, prefixes []string) error {
	var done []client.Task
	code := 0
	for _, prefix := range prefixes {
		id, err := c.task(ctx, prefix)
		var t client.Task
		if err == nil {
			t, err = c.client.Cancel(ctx, id)
		}
		if err != nil {
			if len(prefixes) == 1 {
				return err
			}
			code = max(code, c.report(err))
			continue
		}
		done = append(done, t)
		if c.asDocument() {
			continue
		}
		if t.Terminal() {
			c.out.linef("%s cancelled", t.TaskID)
		} else {
			c.out.linef("%s is being stopped", t.TaskID)
		}
	}
	if c.asDocument() {
		if err := c.document(listOf(done)); err != nil {
			return err
		}
	}
	return exitWith(code)
}

// pairs writes name=value in the order of the names.
func pairs(m map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+"="+m[name])
	}
	return strings.Join(out, " ")
}
