package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"cloudai/master/internal/cli"
	"cloudai/master/internal/config"
)

// prompt is the serving master's own prompt.
type prompt struct {
	wanted bool
	config cli.Config
}

func newPrompt(cfg config.Config, getenv func(string) string, stdin *os.File, stdout, stderr io.Writer, opened func()) *prompt {
	return &prompt{
		wanted: !cfg.NoPrompt && mayPrompt(stdin),
		config: cli.Config{Version: version, DataDir: cfg.DataDir, Getenv: getenv, Stdin: stdin, Stdout: stdout, Stderr: stderr, Opened: opened},
	}
}

// mayPrompt reports whether a person can type here: on a terminal, unless the
// shell has put the process into the background, where touching the terminal
// would stop it.
func mayPrompt(stdin *os.File) bool {
	if stdin == nil || !term.IsTerminal(int(stdin.Fd())) {
		return false
	}
	foreground, err := unix.IoctlGetInt(int(stdin.Fd()), unix.TIOCGPGRP)
	return err != nil || foreground == unix.Getpgrp()
}

// run serves the prompt until the context ends, or closes left when the person
// leaves it. A prompt that fails does not take the master with it.
func (p *prompt) run(ctx context.Context, left chan<- struct{}) error {
	if p.wanted {
		err := cli.Prompt(ctx, p.config)
		switch {
		case err != nil:
			fmt.Fprintln(p.config.Stderr, "master: the prompt cannot be used:", err)
		case ctx.Err() == nil:
			close(left)
		}
	}
	<-ctx.Done()
	return nil
}

// untilInterrupt gives a context that also ends at Ctrl-C, until ignore is
// called. A second Ctrl-C ends the process at once.
func untilInterrupt(ctx context.Context) (_ context.Context, ignore func()) {
	outer, end := context.WithCancel(ctx)
	inner, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt)
	detach := context.AfterFunc(inner, func() {
		stop()
		end()
	})
	return outer, func() {
		detach()
		stop()
	}
}
