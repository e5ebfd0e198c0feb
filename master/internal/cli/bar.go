package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/schollz/progressbar/v3"
)

// bar is a line of progress at the bottom of a terminal, on stderr; elsewhere it
// is nothing. It must be hidden before anything else is printed there. Its
// methods must not be called at the same time.
type bar struct {
	out   stream
	what  string
	total int64
	model *progressbar.ProgressBar // what the line says
	shown bool
}

const (
	longestBar = 40 // columns, of the bar alone
	besideBar  = 60 // columns for what stands beside it
)

// show draws how many of the bytes are there; of a total of 0 it is not known.
func (b *bar) show(what string, done, total int64) {
	if !b.out.tty {
		return
	}
	if total > 0 && done >= total {
		b.hide()
		return
	}
	if b.model == nil || b.what != what || b.total != total {
		b.what, b.total, b.model = what, total, newBarModel(what, total, b.out)
	}
	_ = b.model.Set64(done) // it cannot be more than the total
	b.shown = true
	b.draw()
}

// draw draws the line anew, unless it is hidden.
func (b *bar) draw() {
	if b.shown {
		columns, _ := b.out.size()
		fmt.Fprint(b.out, "\r\x1b[2K"+clip(strings.Trim(b.model.String(), "\r "), columns-1))
	}
}

// hide takes the line away.
func (b *bar) hide() {
	if b.shown {
		b.shown = false
		fmt.Fprint(b.out, "\r\x1b[2K")
	}
}

// aside hides the line while something else is printed.
func (b *bar) aside(print func()) {
	shown := b.shown
	b.hide()
	print()
	b.shown = shown
	b.draw()
}

func newBarModel(what string, total int64, out stream) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1
	}
	width := longestBar / 2
	if columns, _ := out.size(); columns > 0 {
		width = max(1, min(longestBar, columns-besideBar))
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(io.Discard), // we draw it, when nothing else is on the line
		progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(width),
		progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetTheme(progressbar.ThemeASCII), progressbar.OptionThrottle(0), progressbar.OptionSpinnerType(14),
	)
}
