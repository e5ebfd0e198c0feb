package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"cloudai/master/client"
)

// liveStep is how often a live picture is drawn anew.
const liveStep = time.Second

// live draws a picture over itself until Ctrl-C. A master that is away for a
// while is waited for.
func (c *command) live(ctx context.Context, draw func(context.Context, stream) error) error {
	ticker := time.NewTicker(liveStep)
	defer ticker.Stop()
	canvas := canvas{out: c.out}
	for {
		var picture bytes.Buffer
		to := c.out
		to.Writer = &picture
		err := draw(ctx, to)
		if ctx.Err() != nil {
			return nil // that is how it is left
		}
		var unreachable *client.UnreachableError
		switch {
		case err == nil:
			canvas.show(picture.String(), c.out.paint(dim, "Ctrl-C leaves"))
		case canvas.picture != "" && errors.As(err, &unreachable):
			canvas.show(canvas.picture, c.out.paint(dim, "the master does not answer; Ctrl-C leaves"))
		default:
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// canvas is where a picture is drawn over the one before.
type canvas struct {
	out     stream
	picture string

	drawn         int // lines
	columns, rows int // of the terminal then
}

// show draws the picture and a last line, as much of it as fits.
func (v *canvas) show(picture, last string) {
	v.picture = picture
	columns, rows := v.out.size()
	lines := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
	if room := rows - 2; rows > 0 && len(lines) > room { // the last line, and the one where the cursor stays
		room = max(0, room-1)
		lines = append(lines[:room:room], v.out.paint(dim, fmt.Sprintf("… %d lines more", len(lines)-room)))
	}
	lines = append(lines, last)
	var frame strings.Builder
	switch {
	case v.drawn > 0 && (columns != v.columns || rows != v.rows): // lines may be broken differently, or out of reach
		frame.WriteString("\x1b[H\x1b[2J")
	case v.drawn > 0:
		fmt.Fprintf(&frame, "\x1b[%dA\x1b[J", v.drawn)
	}
	for _, line := range lines {
		frame.WriteString(clip(line, columns) + "\n")
	}
	fmt.Fprint(v.out, frame.String())
	v.drawn, v.columns, v.rows = len(lines), columns, rows
}

// size is that of the terminal; 0 when it is not known.
func (s stream) size() (columns, rows int) {
	if f, ok := s.Writer.(*os.File); ok {
		withFd(f, func(fd int) { columns, rows, _ = term.GetSize(fd) })
	}
	return columns, rows
}

// clip cuts a line to so many columns, when that is more than none. Color takes
// no columns; other sequences are in it only when they were asked for.
func clip(line string, columns int) string {
	if columns <= 0 {
		return line
	}
	var out strings.Builder
	have := 0
	for rest := line; rest != ""; {
		if strings.HasPrefix(rest, "\x1b[") {
			end := strings.IndexByte(rest, 'm') + 1
			if end == 0 {
				return out.String() + rest
			}
			out.WriteString(rest[:end])
			rest = rest[end:]
			continue
		}
		text, after := rest, ""
		if at := strings.Index(rest, "\x1b["); at >= 0 {
			text, after = rest[:at], rest[at:]
		}
		for _, r := range text {
			if have += widthOf(string(r)); have > columns {
				if strings.Contains(line, "\x1b[") {
					out.WriteString("\x1b[0m")
				}
				return out.String()
			}
			out.WriteRune(r)
		}
		rest = after
	}
	return out.String()
}
