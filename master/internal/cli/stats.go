package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) statsCommand() *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:   "stats <worker> [flags]",
		Short: "Show one worker; live on a terminal, until Ctrl-C",
		Long: `Shows how a worker stands: what is in use and what is promised to tasks, out of
what it has, how that use went over the last while, and the tasks that it runs
with their own use.`,
		Example:           "stats w1\nstats w1 --once",
		Args:              arguments("a worker"),
		ValidArgsFunction: c.workerIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := c.worker(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.stats(cmd.Context(), w.WorkerID, once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once and end")
	return cmd
}

// workerStats is the document of stats.
type workerStats struct {
	Worker  client.Worker        `json:"worker"`
	Metrics client.WorkerMetrics `json:"metrics"`
	Tasks   []client.Task        `json:"tasks"`
}

func (c *command) stats(ctx context.Context, id string, once bool) error {
	draw := func(ctx context.Context, out stream) error {
		s, err := c.workerStats(ctx, id)
		if err == nil {
			c.drawStats(out, s)
		}
		return err
	}
	switch {
	case c.asDocument():
		s, err := c.workerStats(ctx, id)
		if err != nil {
			return err
		}
		return c.document(s)
	case c.out.tty && !once:
		return c.live(ctx, draw)
	}
	return draw(ctx, c.out)
}

func (c *command) workerStats(ctx context.Context, id string) (s workerStats, err error) {
	if s.Worker, err = c.client.Worker(ctx, id); err != nil {
		return s, err
	}
	if s.Metrics, err = c.client.WorkerMetrics(ctx, id); err != nil {
		return s, err
	}
	s.Tasks = []client.Task{}
	for t, err := range c.client.Tasks(ctx, client.TaskQuery{WorkerID: id, Status: []string{"assigned", "running"}}) {
		if err != nil {
			return s, err
		}
		s.Tasks = append(s.Tasks, t)
	}
	return s, nil
}

func (c *command) drawStats(out stream, s workerStats) {
	c.drawWorker(out, s.Worker)
	out.line("")
	drawUse(out, s.Worker, s.Metrics.Samples)
	out.line("")
	c.drawWorkerTasks(out, s)
}

func (c *command) drawWorker(out stream, w client.Worker) {
	var about table
	add := func(name, text string, how style) {
		if text != "" {
			about.row(cell{name, dim}, cell{text, how})
		}
	}
	heartbeat := "none since the master's start"
	if w.LastHeartbeat != nil {
		heartbeat = c.ago(*w.LastHeartbeat)
	}
	add("worker", w.WorkerID, bold)
	add("status", w.Status, styleOf(w.Status))
	add("", w.Message, plainly)
	add("address", w.Address, plainly)
	add("version", w.Version, plainly)
	add("labels", pairs(w.Labels), plainly)
	add("registered", c.date(w.RegisteredAt), plainly)
	add("heartbeat", heartbeat, plainly)
	about.print(out, "")
}

// drawUse shows what is used and promised of what there is, and how the use
// went.
func drawUse(out stream, w client.Worker, samples []client.WorkerSample) {
	used := func(text func(client.Resources) string) string {
		if w.Used == nil {
			return ""
		}
		return text(*w.Used)
	}
	history := "HISTORY"
	if n := len(samples); n > 1 {
		history = "LAST " + roughly(samples[n-1].Time.Sub(samples[0].Time))
	}
	use := table{head: []string{"", "USED", "PROMISED", "TOTAL", history}}
	add := func(name string, text func(client.Resources) string, of func(client.WorkerSample) float64, total float64) {
		use.row(cell{name, dim}, cell{used(text), plainly}, cell{text(w.Allocated), plainly}, cell{text(w.Total), plainly},
			cell{sparkline(samples, of, total), blue})
	}
	add("cpu", func(r client.Resources) string { return fmt.Sprintf("%.4g", r.CPU) },
		func(s client.WorkerSample) float64 { return s.CPU }, w.Total.CPU)
	add("memory", func(r client.Resources) string { return mib(r.Memory) },
		func(s client.WorkerSample) float64 { return float64(s.Memory) }, float64(w.Total.Memory))
	add("storage", func(r client.Resources) string { return mib(r.Storage) },
		func(s client.WorkerSample) float64 { return float64(s.Storage) }, float64(w.Total.Storage))
	add("gpu", func(r client.Resources) string { return number(r.GPU) },
		func(s client.WorkerSample) float64 { return float64(s.GPU) }, float64(w.Total.GPU))
	use.print(out, "")
}

const sparkColumns = 40

// sparkline draws the samples as bars between nothing and the whole, the
// oldest left. Where several share a column it shows the largest.
func sparkline(samples []client.WorkerSample, of func(client.WorkerSample) float64, whole float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	levels := []rune(bars)
	columns := min(len(samples), sparkColumns)
	line := make([]rune, columns)
	for i := range line {
		largest := 0.0
		for _, s := range samples[i*len(samples)/columns : (i+1)*len(samples)/columns] {
			largest = max(largest, of(s))
		}
		level := 0
		if whole > 0 {
			level = int(largest / whole * float64(len(levels)))
		}
		line[i] = levels[max(0, min(level, len(levels)-1))]
	}
	return string(line)
}

func (c *command) drawWorkerTasks(out stream, s workerStats) {
	tasks := table{head: []string{"TASK", "NAME", "STATE", "FOR", "CPU", "MEMORY"}}
	for _, t := range s.Tasks {
		since, cpu, memory := t.CreatedAt, "", ""
		if n := len(t.Attempts); n > 0 {
			since = t.Attempts[n-1].AssignedAt
		}
		if t.StartedAt != nil {
			since = *t.StartedAt
		}
		if t.CPUUsage != nil {
			cpu = fmt.Sprintf("%.2g of ", *t.CPUUsage)
		}
		if t.MemoryUsage != nil {
			memory = fmt.Sprintf("%.0f MiB of ", *t.MemoryUsage)
		}
		tasks.row(cell{t.TaskID, plainly}, cell{shorten(t.Name, longestName), plainly}, cell{t.State, styleOf(t.Status)},
			cell{roughly(c.now().Sub(since).Round(time.Second)), plainly},
			cell{cpu + cores(t.CPURequired), plainly}, cell{memory + mib(t.MemoryRequired), plainly})
	}
	if len(s.Tasks) > 0 {
		tasks.print(out, "")
	} else {
		out.line(out.paint(dim, "it runs nothing"))
	}
	if others := s.Worker.RunningCount - len(s.Tasks); others > 0 && len(s.Worker.RunningTasks) < s.Worker.RunningCount {
		out.line(out.paint(dim, plural(others, "task")+" of others"))
	}
}
