package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

// Config is what a run of the command line works with.
type Config struct {
	Version        string // of this program
	DataDir        string // of the serving master; Prompt only
	Getenv         func(string) string
	Stdin          *os.File
	Stdout, Stderr io.Writer
	// Opened is called once Ctrl-C has become the prompt's own business; Prompt
	// only.
	Opened func()
}

// Run runs one command, or without one the prompt: on a terminal with line
// editing, else every line of stdin in turn. It gives the exit code, that of
// the last line. Ctrl-C is its own business while it runs: it leaves the
// command.
func Run(ctx context.Context, args []string, cfg Config) int {
	s := newShell(cfg)
	flags, rest, err := s.leadingFlags(args)
	if err != nil {
		return s.report(err)
	}
	if len(rest) > 0 {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
		return s.execute(ctx, args)
	}
	s.base, s.mode = flags, modePrompt
	if !isTerminal(cfg.Stdin) {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		return s.script(ctx)
	}
	code, err := s.prompt(ctx, nil)
	if err != nil {
		return s.report(err)
	}
	return code
}

// mode is where a command was given.
type mode int

const (
	modeOnce    mode = iota // as arguments of a process
	modePrompt              // at the prompt of a process of its own, or in its input
	modeServing             // at the prompt of the serving master
)

// shell is what outlasts one command.
type shell struct {
	version  string // of this program
	stdin    *os.File
	out, err stream
	now      func() time.Time
	zone     *time.Location // of the times that people read
	base     settings       // what a command's global flags start from
	mode     mode
	editor   *lineEditor // of the prompt that is open
	leaving  bool        // the person wants to leave the prompt
}

func newShell(cfg Config) *shell {
	colorful := cfg.Getenv("NO_COLOR") == "" && cfg.Getenv("TERM") != "dumb"
	return &shell{
		version: cfg.Version, stdin: cfg.Stdin, out: newStream(cfg.Stdout, colorful), err: newStream(cfg.Stderr, colorful),
		now: time.Now, zone: time.Local, base: settingsFrom(cfg.Getenv),
	}
}

// execute runs one command to its end.
func (s *shell) execute(ctx context.Context, args []string) int {
	c := &command{shell: s, settings: s.base, args: args, out: s.out, err: s.err}
	defer c.close()
	root := c.tree()
	root.SetArgs(args)
	return s.report(c.identityAdvice(root.ExecuteContext(ctx)))
}

// line runs one line of the prompt; ok is false when there was nothing to run.
func (s *shell) line(ctx context.Context, text string) (code int, ok bool) {
	words, err := split(text)
	if err != nil {
		return s.report(err), true
	}
	if len(words) == 0 {
		return 0, false
	}
	return s.execute(ctx, words), true
}

// script runs the lines of stdin in turn.
func (s *shell) script(ctx context.Context) int {
	if s.stdin == nil {
		return 0
	}
	code := 0
	lines := bufio.NewScanner(s.stdin)
	lines.Buffer(nil, maxLine)
	for !s.leaving && ctx.Err() == nil && lines.Scan() {
		if c, ok := s.line(ctx, lines.Text()); ok {
			code = c
		}
	}
	if err := lines.Err(); err != nil {
		return s.report(fmt.Errorf("read the commands: %w", err))
	}
	return code
}

// maxLine is the longest line of a script, in bytes.
const maxLine = 4 << 20

// typed is a command as it is typed where this one was given, to be pasted.
func (s *shell) typed(line string) string {
	if s.mode == modeOnce {
		return onceBegin + line
	}
	return line
}

// onceBegin is what precedes a command in a shell.
const onceBegin = "bin/master cli "

// report says what went wrong and gives the exit code.
func (s *shell) report(err error) int {
	code, text := verdictOf(err)
	if text = strings.TrimRight(text, "\n"); text != "" {
		s.err.line(s.err.paint(red, "error:") + " " + s.err.text(text))
	}
	return code
}
