package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// stream is stdout or stderr and what is known of it.
type stream struct {
	io.Writer
	tty   bool
	color bool
	raw   bool // leave control sequences in
}

func newStream(w io.Writer, colorful bool) stream {
	tty := false
	if f, ok := w.(*os.File); ok {
		tty = isTerminal(f)
	}
	return stream{Writer: w, tty: tty, color: tty && colorful}
}

// withFd calls f with the descriptor without making the file blocking, as
// File.Fd does.
func withFd(file *os.File, f func(fd int)) {
	if file == nil {
		return
	}
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { f(int(fd)) }) // a closed file is no terminal
	}
}

func isTerminal(file *os.File) bool {
	is := false
	withFd(file, func(fd int) { is = term.IsTerminal(fd) })
	return is
}

func (s stream) line(text string) { fmt.Fprintln(s, text) }

func (s stream) linef(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// text is a text that may come from a stranger, as it may be printed here.
func (s stream) text(text string) string {
	if s.raw || !s.tty {
		return text
	}
	return cleanText(text, s.color)
}

// cell is the same for one place in one line.
func (s stream) cell(text string) string {
	if s.raw {
		return text
	}
	return cleanCell(text)
}

// style is an SGR parameter.
type style string

const (
	plainly style = ""
	bold    style = "1"
	dim     style = "2"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	blue    style = "34"
)

func (s stream) paint(how style, text string) string {
	if !s.color || how == plainly || text == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// styleOf is how a status of a task or of a worker looks.
func styleOf(status string) style {
	switch status {
	case "succeeded", "active":
		return green
	case "failed", "lost":
		return red
	case "cancelled", "unreachable", "unhealthy", "draining":
		return yellow
	case "running", "assigned":
		return blue
	}
	return plainly
}

// shorten cuts a text to so many columns, when that is more than none.
func shorten(text string, columns int) string {
	if columns <= 0 || widthOf(text) <= columns {
		return text
	}
	var out strings.Builder
	have := 0
	for _, r := range text {
		if have += widthOf(string(r)); have > columns-1 {
			break
		}
		out.WriteRune(r)
	}
	return out.String() + "…"
}
