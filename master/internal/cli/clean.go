package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// cleaner passes text on without what could drive a terminal: control
// sequences and control characters but newline and tab. SGR sequences (color
// and weight) pass when color is set. A carriage return inside a line begins a
// new one, so that a progress bar reads as lines. It works across writes.
type cleaner struct {
	w     io.Writer
	color bool

	state   cleanState
	seq     []byte // of the escape sequence or the character under way
	painted bool   // an SGR sequence is in force
	out     []byte
}

type cleanState int

const (
	inText cleanState = iota
	afterReturn
	afterEscape
	inCSI
	inString    // of OSC, DCS, SOS, PM, APC, until BEL or ST
	inStringEsc // after an escape in one
	inCharset   // one more byte belongs to it
)

// maxSequence is the longest control sequence that is looked at as a whole.
const maxSequence = 64

func newCleaner(w io.Writer, color bool) *cleaner { return &cleaner{w: w, color: color} }

// Write takes the next bytes.
func (c *cleaner) Write(p []byte) (int, error) {
	c.out = c.out[:0]
	for _, b := range p {
		c.take(b)
	}
	if len(c.out) == 0 {
		return len(p), nil
	}
	if _, err := c.w.Write(c.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// reset ends a text: color that is still on goes off, and a sequence that was
// cut off is forgotten.
func (c *cleaner) reset() error {
	c.state, c.seq = inText, c.seq[:0]
	if !c.painted {
		return nil
	}
	c.painted = false
	_, err := io.WriteString(c.w, "\x1b[0m")
	return err
}

func (c *cleaner) take(b byte) {
	switch c.state {
	case inText:
		c.textByte(b)
	case afterReturn:
		c.state = inText
		c.out = append(c.out, '\n')
		if b != '\n' {
			c.textByte(b)
		}
	case afterEscape:
		c.escapeByte(b)
	case inCSI:
		c.csiByte(b)
	case inString:
		switch b {
		case 0x07, 0x18, 0x1a, '\n': // the end, or a line that must not be lost
			c.state = inText
			if b == '\n' {
				c.out = append(c.out, b)
			}
		case 0x1b:
			c.state = inStringEsc
		}
	case inStringEsc:
		c.state = inText
		if b != '\\' { // not ST: a sequence of its own
			c.escapeByte(b)
		}
	case inCharset:
		c.state = inText
		if b == '\n' || b == 0x1b {
			c.textByte(b)
		}
	}
}

// textByte takes a byte outside of sequences; bytes of one character wait in
// seq until it is whole.
func (c *cleaner) textByte(b byte) {
	if len(c.seq) > 0 {
		if b&0xc0 == 0x80 {
			c.seq = append(c.seq, b)
			if utf8.FullRune(c.seq) {
				c.wholeRune()
			}
			return
		}
		c.broken()
	}
	switch {
	case b == '\n' || b == '\t' || b >= 0x20 && b < 0x7f:
		c.out = append(c.out, b)
	case b == '\r':
		c.state = afterReturn
	case b == 0x1b:
		c.state = afterEscape
	case b < 0x20 || b == 0x7f:
	default:
		c.seq = append(c.seq, b)
		if utf8.FullRune(c.seq) { // cannot begin a character
			c.broken()
		}
	}
}

// broken replaces bytes that are no character: a terminal might take them for
// one-byte control characters.
func (c *cleaner) broken() {
	c.seq = c.seq[:0]
	c.out = utf8.AppendRune(c.out, utf8.RuneError)
}

func (c *cleaner) wholeRune() {
	r, size := utf8.DecodeRune(c.seq)
	if r == utf8.RuneError && size <= 1 {
		c.broken()
		return
	}
	c.seq = c.seq[:0]
	switch {
	case r >= 0x80 && r < 0xa0: // the one-character forms of ESC [ and its like
		switch r {
		case 0x9b:
			c.state = inCSI
			c.seq = append(c.seq, "\x1b["...)
		case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
			c.state = inString
		}
	case reorders(r):
	default:
		c.out = utf8.AppendRune(c.out, r)
	}
}

// reorders reports whether the character turns around what follows it.
func reorders(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

func (c *cleaner) escapeByte(b byte) {
	c.state = inText
	switch {
	case b == '[':
		c.state = inCSI
		c.seq = append(c.seq[:0], "\x1b["...)
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		c.state = inString
	case b >= 0x20 && b < 0x30:
		c.state = inCharset
	case b == 0x1b:
		c.state = afterEscape
	case b < 0x20 || b >= 0x80:
		c.textByte(b)
	}
}

func (c *cleaner) csiByte(b byte) {
	switch {
	case b >= 0x20 && b < 0x40:
		if len(c.seq) < maxSequence {
			c.seq = append(c.seq, b)
		}
		return
	case b == 'm' && c.color && len(c.seq) < maxSequence && colors(c.seq[2:]):
		c.out = append(append(c.out, c.seq...), b)
		c.painted = !ends(c.seq[2:])
	}
	c.state, c.seq = inText, c.seq[:0]
	if b < 0x20 || b >= 0x7f { // no end of a sequence
		c.textByte(b)
	}
}

// colors reports whether these are parameters of SGR and nothing else.
func colors(params []byte) bool {
	for _, b := range params {
		if (b < '0' || b > '9') && b != ';' && b != ':' {
			return false
		}
	}
	return true
}

// ends reports whether the parameters put all back to plain.
func ends(params []byte) bool { return len(params) == 0 || string(params) == "0" }

// cleanText is a text of several lines without what drives terminals.
func cleanText(text string, color bool) string {
	var out strings.Builder
	c := newCleaner(&out, color)
	_, _ = c.Write([]byte(text)) // a builder takes everything
	if c.state == inText && len(c.seq) > 0 {
		out.WriteRune(utf8.RuneError)
	}
	_ = c.reset()
	return out.String()
}

// cleanCell is a text for one place in one line: line ends and tabs become
// visible.
func cleanCell(text string) string {
	return lineEnds.Replace(cleanText(strings.ReplaceAll(text, "\r", ""), false))
}

var lineEnds = strings.NewReplacer("\n", "⏎", "\t", " ")
