package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/chzyer/readline"
)

const promptText = "master> "

// Prompt serves a person at the terminal of the serving master. It returns
// when the person wants the master to end, or when the context ends.
func Prompt(ctx context.Context, cfg Config) error {
	s := newShell(cfg)
	s.mode = modeServing
	s.base = settings{output: "table", dataDir: cfg.DataDir}
	_, err := s.prompt(ctx, cfg.Opened)
	return err
}

// interrupts turns Ctrl-C into the end of the command that runs, if one does.
type interrupts struct {
	mu     sync.Mutex
	cancel context.CancelFunc // of the command that runs
}

// watch takes the signal until stop is called.
func (i *interrupts) watch() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	var watching sync.WaitGroup
	watching.Go(func() {
		for range signals {
			i.interrupt()
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		watching.Wait()
	}
}

// interrupt ends the command that runs; without one it does nothing.
func (i *interrupts) interrupt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		i.cancel()
	}
}

// during runs a command that the signal ends.
func (i *interrupts) during(ctx context.Context, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	i.set(cancel)
	defer i.set(nil)
	run(ctx)
}

func (i *interrupts) set(cancel context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel = cancel
}

// prompt reads lines and runs them until the person leaves or the context
// ends; it gives the last command's exit code.
func (s *shell) prompt(ctx context.Context, opened func()) (code int, err error) {
	var keys interrupts
	defer keys.watch()()
	if opened != nil {
		opened()
	}
	past := openHistory(s.base.dataDir)
	complete := &completer{shell: s, ctx: ctx}
	editor, err := s.newLineEditor(ctx, s.out.Writer, complete)
	if err != nil {
		return exitFailed, err
	}
	defer editor.close()
	complete.columns = &editor.tty.columns
	for _, line := range past.lines() {
		_ = editor.SaveHistory(line) // in memory
	}
	s.editor = editor
	defer func() { s.editor = nil }()
	s.out.line(s.out.paint(dim, "help lists the commands"))
	for ctx.Err() == nil {
		text, err := editor.Readline()
		switch {
		case ctx.Err() != nil, editor.keys.gone.Load():
			return code, nil
		case errors.Is(err, readline.ErrInterrupt):
			if editor.keys.dropped.Swap(false) {
				s.err.linef("the line is dropped: it had more than %d characters; a script may have longer ones: bin/master cli <script", maxTyped)
			}
			continue
		case err != nil: // Ctrl-D
			s.leaving = true
		default:
			if text != "" && text[0] != ' ' { // a space before it keeps a line out of the history
				past.add(text)
				_ = editor.SaveHistory(text) // in memory
			}
			keys.during(ctx, func(ctx context.Context) {
				if c, ok := s.line(ctx, text); ok {
					code = c
				}
			})
		}
		if s.leaving && s.mayLeave(editor) {
			return code, nil
		}
		s.leaving = false
	}
	return code, nil
}

// mayLeave asks before the serving master is shut down. Another Ctrl-D is a
// yes.
func (s *shell) mayLeave(editor *lineEditor) bool {
	if s.mode != modeServing {
		return true
	}
	s.out.line("Shut the master down? Running tasks go on at their workers.")
	answer, err := editor.ask(yesNo)
	if err != nil {
		return !errors.Is(err, readline.ErrInterrupt)
	}
	return isYes(answer)
}

const yesNo = "[y/N] "

func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
