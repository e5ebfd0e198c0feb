package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/chzyer/readline"
)

// lineEditor reads lines from the terminal, which is raw only meanwhile.
// Nothing but line editing itself may print while a line is being typed: what
// must goes through Stdout or Stderr, which draw the line anew.
type lineEditor struct {
	*readline.Instance
	keys  *keyboard
	stdin *readline.CancelableStdin
	tty   *terminal
	stop  func() bool // forgets about the context

	mu     sync.Mutex
	secret *secret // that is being typed
}

// newLineEditor opens line editing, drawn on out. When the context ends so does
// the line that is being typed.
func (s *shell) newLineEditor(ctx context.Context, out io.Writer, complete readline.AutoCompleter) (*lineEditor, error) {
	e := &lineEditor{keys: &keyboard{file: s.stdin}, tty: &terminal{file: s.stdin}}
	e.stdin = readline.NewCancelableStdin(e.keys)
	var err error
	e.Instance, err = readline.NewEx(&readline.Config{
		Prompt:                 promptText,
		Stdin:                  e.stdin,
		Stdout:                 out,
		Stderr:                 out,
		AutoComplete:           complete,
		Listener:               e,
		Painter:                e,
		DisableAutoSaveHistory: true,
		HistoryLimit:           historyLimit,
		InterruptPrompt:        "^C",
		EOFPrompt:              "\n",
		FuncFilterInputRune:    e.filter,
		FuncIsTerminal:         func() bool { return true },
		FuncMakeRaw:            e.tty.raw,
		FuncExitRaw:            e.tty.restore,
		FuncGetWidth:           e.tty.width,
		FuncOnWidthChanged:     e.tty.onResize,
	})
	if err != nil {
		_ = e.stdin.Close()
		return nil, err
	}
	_ = e.SaveHistory("") // in memory; without any, leaving a search brings line editing down
	e.stop = context.AfterFunc(ctx, func() { _ = e.stdin.Close() })
	return e, nil
}

// close gives the terminal back.
func (e *lineEditor) close() {
	e.stop()
	_ = e.stdin.Close()
	// Of the whole only the terminal: Instance.Close leaves a goroutine
	// behind that wants to report the end a second time.
	_ = e.Terminal.Close() // it may be gone
}

// ask shows a prompt, shorter than leastWidth, in the place of the usual one
// and gives the line that is typed. Ctrl-C is readline.ErrInterrupt, Ctrl-D
// io.EOF.
func (e *lineEditor) ask(prompt string) (string, error) {
	e.SetPrompt(prompt)
	defer e.SetPrompt(promptText)
	return e.Readline()
}

// askSecret is the same for what must not be seen.
func (e *lineEditor) askSecret(prompt string) (string, error) {
	s := &secret{}
	e.setSecret(s)
	defer e.setSecret(nil)
	_, err := e.ask(prompt)
	return string(s.typed), err
}

func (e *lineEditor) setSecret(s *secret) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret = s
}

// filter looks at each key before line editing does. Keys that it gets wrong
// become CharBell, which does nothing but end a search or a choice.
func (e *lineEditor) filter(key rune) (rune, bool) {
	if e.tty.resized() {
		e.Operation.ExitCompleteMode(true) // whose list was made for the other width
		e.tty.again()
	}
	e.mu.Lock()
	secret := e.secret
	e.mu.Unlock()
	if secret != nil {
		return secret.key(key, e.keys)
	}
	if key > 0 && !isText(key) && !slices.Contains(editingKeys, key) || key == readline.MetaTranspose {
		key = readline.CharBell
	}
	if e.Operation.IsInCompleteMode() && slices.Contains(leaveChoice, key) {
		e.Operation.ExitCompleteMode(true)
	}
	if (key == pieceKey || key == deleteKey) && e.Operation.IsSearchMode() {
		e.Operation.ExitSearchMode(false)
	}
	return key, true
}

// editingKeys are the control characters that line editing handles well. Not
// among them: Ctrl-T, which brings it down, and Ctrl-Z, which would stop the
// master and whoever started it.
var editingKeys = []rune{
	readline.CharLineStart, readline.CharBackward, readline.CharInterrupt, readline.CharDelete, readline.CharLineEnd,
	readline.CharForward, readline.CharBell, readline.CharCtrlH, readline.CharTab, readline.CharCtrlJ, readline.CharKill,
	readline.CharCtrlL, readline.CharEnter, readline.CharNext, readline.CharPrev, readline.CharBckSearch,
	readline.CharFwdSearch, readline.CharCtrlU, readline.CharCtrlW, readline.CharCtrlY, readline.CharBackspace,
}

// leaveChoice are the keys at which the list of completions must be gone before
// line editing sees them.
var leaveChoice = []rune{
	readline.CharInterrupt, readline.CharDelete, readline.CharKill, readline.CharBckSearch, readline.CharFwdSearch,
	readline.CharCtrlU, readline.CharCtrlW, readline.CharCtrlY, readline.CharCtrlL, pieceKey, deleteKey,
}

// Paint is the line as it is shown: without our own keys, which are there for a
// moment.
func (e *lineEditor) Paint(line []rune, _ int) []rune {
	ours := func(r rune) bool { return r == pieceKey || r == deleteKey }
	if !slices.ContainsFunc(line, ours) {
		return line
	}
	return slices.DeleteFunc(slices.Clone(line), ours)
}

// OnChange carries out our own keys, which line editing has put into the line.
func (e *lineEditor) OnChange(line []rune, pos int, key rune) (changed []rune, at int, ok bool) {
	switch {
	case key == pieceKey && pos > 0:
		piece := e.keys.piece()
		return slices.Concat(line[:pos-1], piece, line[pos:]), pos - 1 + len(piece), true
	case key == deleteKey && pos > 0:
		return slices.Concat(line[:pos-1], line[min(pos+1, len(line)):]), pos - 1, true
	case len(line) > maxTyped: // by what was cut out and put back again and again
		return line[:maxTyped], maxTyped, true
	}
	return nil, 0, false
}

// secret is a line that is typed without being shown; line editing never sees
// it.
type secret struct {
	typed []rune
}

// key takes one key; only those that end the line go on to line editing.
func (s *secret) key(key rune, keys *keyboard) (rune, bool) {
	switch {
	case key == 0 || key == readline.CharEnter || key == readline.CharCtrlJ || key == readline.CharInterrupt:
		return key, true
	case key == readline.CharDelete:
		// Ctrl-D ends nothing but an empty line. Line editing waits after it.
		return key, len(s.typed) == 0
	case key == readline.CharBackspace || key == readline.CharCtrlH:
		s.typed = s.typed[:max(0, len(s.typed)-1)]
	case key == readline.CharCtrlU:
		s.typed = s.typed[:0]
	case key == pieceKey:
		s.typed = append(s.typed, keys.piece()...)
	case key > 0 && isText(key) && key != deleteKey:
		s.typed = append(s.typed, key)
	}
	return readline.CharBell, true
}

// asked turns the way in which a question was left into an error for commands.
func asked(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, readline.ErrInterrupt), errors.Is(err, io.EOF):
		return context.Canceled
	}
	return err
}
