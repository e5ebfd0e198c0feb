//go:build engine

package e2e

import (
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is a person's: what they type, and what they see. It answers
// programs that ask it something, as real ones do.
type terminal struct {
	t    *testing.T
	keys *os.File // what is typed goes in here

	mu      sync.Mutex
	screen  *vt.Emulator
	changed chan struct{} // closed when something is shown
	closed  bool          // nobody has the other end any more
}

const (
	columns, rows = 100, 40

	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlL = "\x0c" // a fresh screen
	ctrlU = "\x15" // an empty line
)

// openTerminal gives a terminal and the end that programs are started at.
func openTerminal(t *testing.T) (p *terminal, tty *os.File) {
	t.Helper()
	keys, tty, err := pty.Open()
	must(t, err)
	must(t, pty.Setsize(keys, &pty.Winsize{Cols: columns, Rows: rows}))
	p = &terminal{t: t, keys: keys, screen: vt.NewEmulator(columns, rows), changed: make(chan struct{})}
	var helpers sync.WaitGroup
	helpers.Go(func() { _, _ = io.Copy(keys, p.screen) }) // until it is closed
	helpers.Go(func() {
		_, _ = io.Copy(p, keys) // ends with an error when all programs have
		p.mu.Lock()
		p.closed = true
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	})
	t.Cleanup(func() { // after the end of the programs
		_ = tty.Close() // may be closed
		p.until("the end", func(screen) bool { return p.closed })
		_ = p.screen.Close()
		helpers.Wait()
		_ = keys.Close()
	})
	return p, tty
}

// Write shows what a program prints.
func (p *terminal) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.screen.Write(data)
	close(p.changed)
	p.changed = make(chan struct{})
	return n, err
}

// during makes the terminal that of a subtest.
func (p *terminal) during(t *testing.T) {
	outer := p.t
	p.t = t
	t.Cleanup(func() { p.t = outer })
}

func (p *terminal) types(keys string) {
	p.t.Helper()
	_, err := p.keys.WriteString(keys)
	must(p.t, err)
}

func (p *terminal) resize(columns, rows int) {
	p.t.Helper()
	p.mu.Lock()
	p.screen.Resize(columns, rows)
	p.mu.Unlock()
	must(p.t, pty.Setsize(p.keys, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}))
}

// screen is what stands there: its lines, without blanks at their ends and empty
// ones at the end, and where the cursor is.
type screen struct {
	lines []string
	x, y  int
}

// last is the last line.
func (s screen) last() string {
	if len(s.lines) == 0 {
		return ""
	}
	return s.lines[len(s.lines)-1]
}

// shows reports whether the words stand there, in a line other than the first,
// which is the command as it was typed.
func (s screen) shows(words string) bool {
	return len(s.lines) > 1 && strings.Contains(strings.Join(s.lines[1:], "\n"), words)
}

// atPrompt reports whether the last line is the prompt with this text, and the
// cursor at its end.
func (s screen) atPrompt(text string) bool {
	const prompt = "master> "
	return s.last() == strings.TrimRight(prompt+text, " ") && s.y == len(s.lines)-1 && s.x == len(prompt+text)
}

// look is the screen now; mu is held.
func (p *terminal) look() screen {
	at := p.screen.CursorPosition()
	s := screen{x: at.X, y: at.Y}
	for line := range strings.SplitSeq(p.screen.String(), "\n") {
		s.lines = append(s.lines, strings.TrimRight(line, " "))
	}
	for len(s.lines) > 0 && s.last() == "" {
		s.lines = s.lines[:len(s.lines)-1]
	}
	return s
}

// until waits for the screen to be so. The function is called with mu held.
func (p *terminal) until(what string, met func(screen) bool) {
	p.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		now, changed := p.look(), p.changed
		ok := met(now)
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatalf("%s did not come; the cursor at %d,%d of\n%s", what, now.x, now.y, strings.Join(now.lines, "\n"))
		}
	}
}

func (p *terminal) sees(words string) {
	p.t.Helper()
	p.until(words, func(s screen) bool { return s.shows(words) })
}

// fresh is the prompt on an empty screen.
func (p *terminal) fresh() {
	p.t.Helper()
	p.types(ctrlL)
	p.until("an empty screen", func(s screen) bool { return len(s.lines) == 1 && s.atPrompt("") })
}

// works checks that the prompt is there and that one can type at it. Line
// editing shows the keys; a terminal that did as well would show them twice.
func (p *terminal) works() {
	p.t.Helper()
	p.until("the prompt", func(s screen) bool { return s.atPrompt("") })
	p.types("typing works")
	p.until("what is typed", func(s screen) bool { return s.atPrompt("typing works") })
	p.types(ctrlU)
	p.until("an empty line", func(s screen) bool { return s.atPrompt("") })
}

// modes are what a shell leaves to a program: lines, echo, and keys that are
// signals.
const modes = unix.ICANON | unix.ECHO | unix.ISIG

// mode is which of these the terminal is in.
func (p *terminal) mode() uint32 {
	p.t.Helper()
	now, err := unix.IoctlGetTermios(int(p.keys.Fd()), unix.TCGETS)
	must(p.t, err)
	return now.Lflag & modes
}

// cooked checks that the terminal is as a shell leaves it.
func (p *terminal) cooked(when string) {
	p.t.Helper()
	if m := p.mode(); m != modes {
		p.t.Errorf("%s: the terminal's mode is %#x, want %#x", when, m, modes)
	}
}
