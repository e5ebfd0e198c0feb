package cli

import (
	"fmt"
	"strings"
	"time"
)

// bar is a line of progress at the bottom of a terminal, on stderr; elsewhere it
// is nothing. It must be hidden before anything else is printed there. Its
// methods must not be called at the same time.
type bar struct {
	out  stream
	text func(columns int) string // as it was last shown
	up   bool                     // it stands on the terminal

	what  string
	first int64 // bytes that were there when we came
	since time.Time
}

// show draws how many of the bytes are there; of a total of 0 it is not known.
func (b *bar) show(what string, done, total int64) {
	if !b.out.tty {
		return
	}
	now := time.Now()
	if b.what != what || done < b.first {
		b.what, b.first, b.since = what, done, now
	}
	rate := ""
	if took := now.Sub(b.since); took >= time.Second && done > b.first {
		rate = ", " + bytesInWords(int64(float64(done-b.first)/took.Seconds())) + "/s"
	}
	b.text = func(columns int) string { return barText(what, done, total, rate, columns) }
	b.up = true
	b.draw()
}

// draw draws the line anew, unless it is hidden.
func (b *bar) draw() {
	if b.up {
		columns, _ := b.out.size()
		fmt.Fprint(b.out, eraseLine+b.text(columns))
	}
}

// hide takes the line away.
func (b *bar) hide() {
	if b.up {
		b.up = false
		fmt.Fprint(b.out, eraseLine)
	}
}

// aside hides the line while something else is printed.
func (b *bar) aside(print func()) {
	up := b.up
	b.hide()
	print()
	b.up = up
	b.draw()
}

const (
	eraseLine  = "\r\x1b[2K"
	longestBar = 40 // columns
)

// barText fills at most the columns but the last, where the cursor stays.
func barText(what string, done, total int64, rate string, columns int) string {
	if columns <= 0 {
		columns = usualWidth
	}
	if total <= 0 {
		return clip(what+"  "+bytesInWords(done)+rate, columns-1)
	}
	part := min(1, float64(done)/float64(total))
	left := fmt.Sprintf("%s %3.0f%% ", what, 100*part)
	right := " " + bytesInWords(done) + " of " + bytesInWords(total) + rate
	room := min(longestBar, columns-1-widthOf(left)-widthOf(right)-2)
	if room < 1 {
		return clip(left+right[1:], columns-1)
	}
	filled := int(part * float64(room))
	return left + "[" + strings.Repeat("=", filled) + strings.Repeat(" ", room-filled) + "]" + right
}
