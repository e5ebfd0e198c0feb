package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

type logFlags struct {
	follow, times bool
	tail, attempt int
}

func (c *command) logsCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "logs <task> [flags]",
		Short: "Print a task's log",
		Long: `Prints what a task has written, also while it runs and after it is over:
its standard output to standard output, its standard error to standard error.`,
		Example: `logs 4f2c
logs -f --tail 20 4f2c   # the last 20 lines, then what comes
logs --attempt 1 4f2c    # of an attempt that was followed by another`,
		Args:              arguments("a task"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.logs(cmd, f, args[0])
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "stay until the log is complete")
	cmd.Flags().IntVar(&f.tail, "tail", 0, "only so many lines from the end")
	cmd.Flags().BoolVar(&f.times, "timestamps", false, "put the time before each line")
	cmd.Flags().IntVar(&f.attempt, "attempt", 0, "of this attempt (default the newest)")
	return cmd
}

func (c *command) logs(cmd *cobra.Command, f logFlags, prefix string) error {
	o := client.LogOptions{Attempt: f.attempt, Follow: f.follow}
	if cmd.Flags().Changed("tail") {
		if f.tail < 0 {
			return usagef("--tail: must not be negative")
		}
		o.Tail = &f.tail
	}
	if f.attempt < 0 {
		return usagef("--attempt: attempts count from 1")
	}
	ctx := cmd.Context()
	id, err := c.task(ctx, prefix)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.logDocument(ctx, id, o)
	}
	err = c.newLogPrinter(f).show(ctx, id, o)
	if err != nil && ctx.Err() != nil && f.follow {
		return c.detached(ctx, id, err)
	}
	return err
}

// logDocument prints the records as one document, piece by piece.
func (c *command) logDocument(ctx context.Context, id string, o client.LogOptions) error {
	out := bufio.NewWriter(c.out)
	begin, between, end := "{\n  \"items\": [", ",", "\n  ]\n}\n"
	if c.output == "yaml" {
		begin, between, end = "items:\n", "", ""
	}
	fmt.Fprint(out, begin)
	n := 0
	for record, err := range c.client.Logs(ctx, id, o) {
		if err != nil {
			return err
		}
		if n++; n > 1 {
			fmt.Fprint(out, between)
		}
		if err := c.logItem(out, record); err != nil {
			return err
		}
		if o.Follow {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	if n == 0 && c.output == "yaml" {
		end = "  []\n"
	}
	fmt.Fprint(out, end)
	return out.Flush()
}

func (c *command) logItem(out io.Writer, record client.LogRecord) error {
	if c.output == "yaml" {
		item, err := c.encode([]client.LogRecord{record}, "")
		if err == nil {
			_, err = out.Write(item)
		}
		return err
	}
	item, err := c.encode(record, "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n    %s", item[:len(item)-1])
	return err
}

// logPrinter prints a log, each stream to its own.
type logPrinter struct {
	c      *command
	follow bool
	times  bool

	mu       sync.Mutex
	out, err *logStream
	bar      *bar // below the log
}

// logStream is where one stream of a task goes.
type logStream struct {
	stream
	w       io.Writer
	buffer  *bufio.Writer
	cleaner *cleaner
	midLine bool // the last piece did not end its line
}

func (c *command) newLogPrinter(f logFlags) *logPrinter {
	return &logPrinter{c: c, follow: f.follow, times: f.times, out: newLogStream(c.out), err: newLogStream(c.err), bar: &bar{}}
}

func newLogStream(s stream) *logStream {
	l := &logStream{stream: s, buffer: bufio.NewWriterSize(s, 32<<10)}
	l.w = l.buffer
	if s.tty && !s.raw {
		l.cleaner = newCleaner(l.buffer, s.color)
		l.w = l.cleaner
	}
	return l
}

// show prints the log until its end, or until the context's.
func (p *logPrinter) show(ctx context.Context, id string, o client.LogOptions) error {
	defer p.finish()
	for record, err := range p.c.client.Logs(ctx, id, o) {
		if err == nil {
			err = p.record(record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *logPrinter) record(r client.LogRecord) error {
	data, err := r.Bytes()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.hide() // until the next look at the task
	to, other := p.out, p.err
	if r.Stream != "stdout" {
		to, other = p.err, p.out
	}
	if err := other.buffer.Flush(); err != nil { // in the order of the log
		return err
	}
	if p.times && !to.midLine {
		fmt.Fprint(to.buffer, r.Time.UTC().Format(time.RFC3339Nano)+" ")
	}
	to.midLine = r.Partial
	if _, err := to.w.Write(data); err != nil {
		return err
	}
	if p.follow {
		return to.buffer.Flush()
	}
	return nil
}

// finish ends an unfinished line and color on a terminal; elsewhere the bytes
// stay those of the task.
func (p *logPrinter) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range []*logStream{p.out, p.err} {
		s.endLine()
	}
}

func (s *logStream) endLine() {
	if s.cleaner != nil {
		_ = s.cleaner.reset() // what a terminal does not take is nobody's to handle
	}
	if s.midLine && s.tty {
		fmt.Fprintln(s.buffer)
	}
	s.midLine = false
	_ = s.buffer.Flush() // as above
}

// note prints a hint between the lines of the log.
func (p *logPrinter) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.aside(func() {
		if p.c.err.tty {
			p.out.endLine()
			p.err.endLine()
		}
		p.c.err.line(p.c.err.paint(dim, p.c.err.text(text)))
	})
}

// withBar draws or hides the bar, unless a line of the log is under way.
func (p *logPrinter) withBar(draw func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.out.midLine && !p.err.midLine {
		draw()
	}
}
