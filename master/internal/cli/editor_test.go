package cli

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"cloudai/master/internal/cluster"
)

// once is someone at a terminal who runs one command of its own.
func (w *world) once(t *testing.T, args ...string) *seat {
	t.Helper()
	return sit(t, func(tty *os.File) int {
		return Run(context.Background(), args, Config{Getenv: w.getenv, Stdin: tty, Stdout: tty, Stderr: tty})
	})
}

// Passwords are asked for twice and not shown, whoever asks.
func TestAskedPassword(t *testing.T) {
	w := newWorld(t)
	ask := func(p *seat, first, second string) {
		t.Helper()
		p.sees("new password: ")
		p.types(first + "\r")
		p.sees("the same again: ")
		p.types(second + "\r")
	}
	p := w.once(t, "users", "add", "ann@example.org")
	ask(p, "zuerst-geheim", "zuerst-geheim")
	p.sees("can sign in")
	p.leaves(0)
	screens := p.screen.all()

	p = w.atPrompt(t)
	p.types("users add bob@example.org\r")
	// Keys that edit, and such as mean nothing here.
	ask(p, "falsch\x15dann-richtigx\x7f\t\x12\x1b[A\x1b[D\x14", "dann-richtig")
	p.sees("can sign in", "master> ")
	p.types("users reset ann@example.org\r")
	ask(p, "eins-geheim", "zwei-geheim")
	p.sees("not the same", "master> ")
	p.types("users reset ann@example.org\r")
	p.sees("new password: ")
	p.types("halb-geheim" + ctrlD) // ends an empty line only
	p.types(ctrlC)
	p.sees("master> ")
	p.types("users reset ann@example.org\r")
	p.sees("new password: ")
	p.types(ctrlD)
	p.sees("master> ")
	p.types("users add c@example.org --password-stdin\r")
	p.sees("here it is asked for", "master> ")
	p.types(up) // no password is in the history
	p.sees("users add c@example.org")
	p.types(ctrlC + ctrlD)
	p.leaves(exitUsage)
	screens += p.screen.all()

	for _, word := range []string{"geheim", "falsch", "richtig"} {
		if strings.Contains(screens, word) {
			t.Errorf("%q was shown", word)
		}
	}
	for email, password := range map[string]string{"ann@example.org": "zuerst-geheim", "bob@example.org": "dann-richtig"} {
		if _, err := w.accounts.Login(t.Context(), email, password, ""); err != nil {
			t.Errorf("%s: %v", email, err)
		}
	}
	p = w.once(t, "users", "add", "dan@example.org")
	p.sees("new password: ")
	p.types(ctrlC)
	p.leaves(exitCancelled)
}

func TestConfirm(t *testing.T) {
	w := newWorld(t)
	w.person(t, "ann")
	for _, answer := range []string{"n\r", "\r", "maybe\r"} {
		p := w.once(t, "users", "remove", "ann@example.org")
		p.sees("Remove ann@example.org", "[y/N] ")
		p.types(answer)
		p.sees("nothing is done")
		p.leaves(exitFailed)
	}
	p := w.once(t, "users", "remove", "ann@example.org")
	p.sees("[y/N] ")
	p.types(ctrlC)
	p.leaves(exitCancelled)
	p = w.atPrompt(t)
	p.types("users remove ann@example.org\r")
	p.sees("[y/N] ")
	p.types("yes\r")
	p.sees("is removed", "master> ")
	p.types(ctrlD)
	p.leaves(0)
}

// redraw is what line editing itself writes: the prompt, what was typed, and
// the sequences around them.
var redraw = regexp.MustCompile(`^(\x1b\[J|\x1b\[2K|\r|\n|\x08|\a|master> |[ a-z0-9-])*$`)

// Nothing prints while a line is being typed, whatever happens in the master;
// what has to be printed draws the line anew.
func TestNothingPrintsIntoTheLine(t *testing.T) {
	w := newWorld(t)
	p := w.atPrompt(t)
	p.types("list-tasks que")
	p.sees("list-tasks que")
	before := len(p.screen.all())
	for range 3 {
		id := w.submit(t, cluster.TaskRequest{})
		must(t, w.core.Run(id, "w1"))
		w.log(t, id, 1, "o:a line of a log\n")
		must(t, w.core.Finish(id, ptr(1), cluster.FailureExit, ""))
		w.stop() // the master goes away and comes back
		p.types("\t\t")
		w.serve(t)
	}
	p.types("\x15list-tasks failed --limit 1")
	p.sees("--limit 1")
	if shown := p.screen.all()[before:]; !redraw.MatchString(shown) {
		t.Errorf("something was printed: %q", shown)
	}
	p.types("\r")
	p.sees("task0003", "master> ")
	p.types(ctrlD)
	p.leaves(0)
}

// A hint that comes while one types stands above the line, which stays whole.
func TestHintAboveTheLine(t *testing.T) {
	typed := make(chan *lineEditor, 1)
	p := sit(t, func(tty *os.File) int {
		s := newShell(Config{Getenv: func(string) string { return "" }, Stdin: tty, Stdout: tty, Stderr: tty})
		editor, err := s.newLineEditor(t.Context(), tty, &completer{shell: s, ctx: t.Context()})
		if err != nil {
			t.Error(err)
			return 1
		}
		defer editor.close()
		typed <- editor
		line, err := editor.Readline()
		fmt.Fprintf(tty, "got %q %v", line, err)
		return 0
	})
	editor := <-typed
	p.sees("master> ")
	p.types("half a")
	p.sees("half a")
	fmt.Fprintln(editor.Stderr(), "a hint")
	p.sees("a hint\r\n", "master> half a")
	p.types(" line\r")
	p.sees(`got "half a line" <nil>`)
	p.leaves(0)
}

// resize makes the terminal wider or narrower.
func (s *seat) resize(columns, rows uint16) {
	s.t.Helper()
	must(s.t, pty.Setsize(s.keys, &pty.Winsize{Rows: rows, Cols: columns}))
}

// The prompt and live pictures follow the size of the terminal.
func TestResize(t *testing.T) {
	w := populate(t)
	for range 10 {
		w.submit(t, cluster.TaskRequest{})
	}
	p := w.atPrompt(t)
	p.resize(40, 30)
	p.types(strings.Repeat("x", 34) + "\x02\x7f") // breaks after 32
	p.sees("\r\x1b[A")                            // line editing knows that there are two lines
	p.types(ctrlC)
	p.sees("master> ")
	p.types("explain task00\t\t") // lists in columns of the new width
	p.sees("task0004 ", "task0005 ", "task0006")
	p.types(ctrlC)
	p.sees("master> ")
	p.resize(12, 30)
	p.types("explain task00\t\tx") // for which there is no room
	p.sees("x")
	p.types(ctrlC)
	p.sees("master> ")

	registered := "registered  " + time.Date(2026, 1, 2, 3, 9, 58, 0, time.UTC).Local().Format(time.DateTime) // wherever that is
	p.resize(30, 9)
	p.types("stats w1\r")
	p.sees(registered[:30]+"\r\n", "lines more", "Ctrl-C leaves")
	p.resize(100, 40)
	p.sees("\x1b[H\x1b[2J", registered+"\r\n", "task0002", "Ctrl-C leaves")
	p.sees("\x1b[18A\x1b[J", "Ctrl-C leaves") // and again over itself
	p.resize(100, 41)                         // what had scrolled out may be back
	p.sees("\x1b[H\x1b[2J", "Ctrl-C leaves")
	interrupt(t)
	p.sees("master> ")
	p.types(ctrlD)
	p.leaves(0)
}

// A live picture stays when the master goes away for a while.
func TestLiveRestart(t *testing.T) {
	w := populate(t)
	p := w.once(t, "status")
	p.sees("1 running", "Ctrl-C leaves")
	w.stop()
	p.sees("1 running", "the master does not answer")
	w.serve(t)
	p.sees("1 running", "\r\nCtrl-C leaves")
	interrupt(t)
	p.leaves(0)
	w.stop()
	p = w.once(t, "status")
	p.sees("no master is running")
	p.leaves(exitFailed)
	w.serve(t)
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		line    string
		columns int
		want    string
	}{
		{"abcdef", 0, "abcdef"},
		{"abcdef", 6, "abcdef"},
		{"abcdef", 3, "abc"},
		{"漢字", 3, "漢"},
		{"\x1b[31mabc\x1b[0m", 3, "\x1b[31mabc\x1b[0m"},
		{"\x1b[31mabc\x1b[0mdef", 2, "\x1b[31mab\x1b[0m"},
		{"a\x1b[31mbc", 2, "a\x1b[31mb\x1b[0m"},
		{"ab\x1b[2Jc", 1, "a\x1b[0m"},
		{"\x1b[2J", 1, "\x1b[2J"},
	} {
		if got := clip(tt.line, tt.columns); got != tt.want {
			t.Errorf("%q %d: %q, want %q", tt.line, tt.columns, got, tt.want)
		}
	}
}
