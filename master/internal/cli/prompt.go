package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/chzyer/readline"
)

const promptText = "master> "

// Config is what the prompt of a serving master works with.
type Config struct {
	DataDir        string // of this very master
	Getenv         func(string) string
	Stdin          *os.File // a terminal
	Stdout, Stderr io.Writer
	// Opened is called once Ctrl-C has become the prompt's own business.
	Opened func()
}

// Prompt serves a person at the terminal of the serving master. It returns
// when the person wants the master to end, or when the context ends.
func Prompt(ctx context.Context, cfg Config) error {
	s := newShell(cfg.Getenv, cfg.Stdin, cfg.Stdout, cfg.Stderr)
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
	typed := &keyboard{file: s.stdin}
	stdin := readline.NewCancelableStdin(typed)
	editor, closeEditor, err := s.editor(ctx, stdin, past.lines())
	if err != nil {
		return exitFailed, err
	}
	defer closeEditor()
	defer context.AfterFunc(ctx, func() { _ = stdin.Close() })() // ends Readline
	for ctx.Err() == nil {
		text, err := editor.Readline()
		switch {
		case ctx.Err() != nil, typed.gone.Load():
			return code, nil
		case errors.Is(err, readline.ErrInterrupt):
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

// keyboard is the terminal's input. Once it has ended there is nobody to ask
// anything, and line editing would wait for ever.
type keyboard struct {
	file *os.File
	gone atomic.Bool
}

// Read notes the end.
func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.file.Read(p)
	if err != nil {
		k.gone.Store(true)
	}
	return n, err
}

// mayLeave asks before the serving master is shut down. Another Ctrl-D is a
// yes.
func (s *shell) mayLeave(editor *readline.Instance) bool {
	if s.mode != modeServing {
		return true
	}
	editor.SetPrompt("Shut the master down? Running tasks go on at their workers. [y/N] ")
	defer editor.SetPrompt(promptText)
	answer, err := editor.Readline()
	if err != nil {
		return !errors.Is(err, readline.ErrInterrupt)
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// editor opens line editing on the terminal, whose keys come through stdin.
func (s *shell) editor(ctx context.Context, stdin io.ReadCloser, history []string) (editor *readline.Instance, closeIt func(), err error) {
	tty := terminal{file: s.stdin}
	editor, err = readline.NewEx(&readline.Config{
		Prompt:                 promptText,
		Stdin:                  stdin,
		Stdout:                 s.out.Writer,
		Stderr:                 s.err.Writer,
		AutoComplete:           &completer{shell: s, ctx: ctx},
		DisableAutoSaveHistory: true,
		HistoryLimit:           historyLimit,
		InterruptPrompt:        "^C",
		EOFPrompt:              "\n",
		FuncFilterInputRune: func(key rune) (rune, bool) {
			if key == readline.CharInterrupt && editor.Operation.IsInCompleteMode() {
				editor.Operation.ExitCompleteMode(true) // so that Ctrl-C drops the line here too
			}
			return key, true
		},
		FuncIsTerminal:     func() bool { return true },
		FuncMakeRaw:        tty.raw,
		FuncExitRaw:        tty.restore,
		FuncGetWidth:       tty.width,
		FuncOnWidthChanged: tty.onResize,
	})
	if err != nil {
		return nil, nil, err
	}
	for _, line := range history {
		_ = editor.SaveHistory(line) // in memory
	}
	return editor, func() {
		_ = stdin.Close()
		// Of the whole only the terminal: Instance.Close leaves a goroutine
		// behind that wants to report the end a second time.
		_ = editor.Terminal.Close() // it may be gone
		tty.close()
	}, nil
}

// terminal is the mode and the size of the terminal that is read from.
type terminal struct {
	file *os.File

	mu     sync.Mutex
	cooked *readline.State // as it was before it was made raw
	resize chan os.Signal
	done   sync.WaitGroup
}

func (t *terminal) raw() (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	withFd(t.file, func(fd int) { t.cooked, err = readline.MakeRaw(fd) })
	return err
}

func (t *terminal) restore() (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cooked == nil {
		return nil
	}
	withFd(t.file, func(fd int) { err = readline.Restore(fd, t.cooked) })
	t.cooked = nil
	return err
}

const usualWidth = 80

func (t *terminal) width() int {
	columns := 0
	withFd(t.file, func(fd int) { columns, _, _ = readline.GetSize(fd) })
	if columns <= 0 {
		return usualWidth
	}
	return columns
}

func (t *terminal) onResize(changed func()) {
	t.resize = make(chan os.Signal, 1)
	signal.Notify(t.resize, syscall.SIGWINCH)
	t.done.Go(func() {
		for range t.resize {
			changed()
		}
	})
}

func (t *terminal) close() {
	if t.resize != nil {
		signal.Stop(t.resize)
		close(t.resize)
		t.done.Wait()
	}
}
