package cli

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/chzyer/readline"
)

// maxTyped is the longest line that can be typed, in characters. Longer ones
// come from files.
const maxTyped = 16 << 10

// Keys of our own, in the place of what line editing must not see as it came.
// They are private characters; typed ones are dropped.
const (
	pieceKey  rune = 0xf0001 // a piece of text that arrived at once; the keyboard has it
	deleteKey rune = 0xf0002 // the key Delete, which line editing takes for Ctrl-D
)

// minPiece is the shortest text that is handed over as one, in characters.
const minPiece = 8

// keyboard is the terminal's input as line editing gets it. Line editing draws
// the whole line anew for each key, so text that arrives at once is made one
// key. What it takes for something else than it is, or has no use for, is
// taken out.
type keyboard struct {
	file    io.Reader
	gone    atomic.Bool // the input has ended
	dropped atomic.Bool // a line was too long and became a Ctrl-C

	// Of the one who reads.
	in     [4 << 10]byte
	kept   []byte // read, but not a whole character
	ready  []byte // to be handed over
	seq    []byte // of the escape sequence under way
	text   []rune // of the piece under way
	length int    // of the line so far

	mu     sync.Mutex
	pieces [][]rune // that were handed over as pieceKey, in their order
}

// Read gives the next keys.
func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.ready) == 0 {
		n, err := k.file.Read(k.in[:])
		k.take(k.in[:n])
		if err != nil && len(k.ready) == 0 {
			k.gone.Store(true)
			return 0, err
		}
	}
	n := copy(p, k.ready)
	k.ready = k.ready[:copy(k.ready, k.ready[n:])]
	return n, nil
}

// piece is the text of the next pieceKey.
func (k *keyboard) piece() []rune {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pieces) == 0 {
		return nil
	}
	text := k.pieces[0]
	k.pieces = k.pieces[1:]
	return text
}

func (k *keyboard) take(data []byte) {
	k.kept = append(k.kept, data...)
	rest := k.kept
	for len(rest) > 0 && utf8.FullRune(rest) {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		k.key(r)
	}
	k.kept = append(k.kept[:0], rest...)
	k.endPiece()
}

func (k *keyboard) key(r rune) {
	switch {
	case r == 0 || r == pieceKey || r == deleteKey: // line editing takes 0 for the end
	case len(k.seq) > 0:
		k.inSequence(r)
	case r == readline.CharEsc:
		k.endPiece()
		k.seq = append(k.seq, byte(r))
	case isText(r):
		if k.length++; k.length <= maxTyped {
			k.text = append(k.text, r)
		}
	default:
		k.endPiece()
		switch r {
		case readline.CharEnter, readline.CharCtrlJ:
			if k.length > maxTyped {
				k.dropped.Store(true)
				r = readline.CharInterrupt
			}
			k.length = 0
		case readline.CharInterrupt:
			k.length = 0
		}
		k.ready = utf8.AppendRune(k.ready, r)
	}
}

// inSequence goes on with what began with an escape, in the way of line
// editing: ESC [ or ESC O, then digits and semicolons, then one character; or
// ESC and one character.
func (k *keyboard) inSequence(r rune) {
	if len(k.seq) == 1 {
		switch r {
		case readline.CharEsc:
			return // the last one counts
		case '[', 'O':
			k.seq = append(k.seq, byte(r))
			return
		}
		k.seq = k.seq[:0]
		if isText(r) || r == readline.CharBackspace {
			k.ready = utf8.AppendRune(append(k.ready, readline.CharEsc), r)
		} else {
			k.key(r)
		}
		return
	}
	if len(k.seq) < maxSequence {
		k.seq = utf8.AppendRune(k.seq, r)
	}
	if r == ';' || unicode.IsNumber(r) {
		return
	}
	seq := k.seq
	k.seq = k.seq[:0]
	switch {
	case !isText(r):
		k.key(r)
	case string(seq) == "\x1b[3~":
		k.ready = utf8.AppendRune(k.ready, deleteKey)
	case len(seq) < maxSequence:
		k.ready = append(k.ready, seq...)
	}
}

// endPiece hands the text so far over.
func (k *keyboard) endPiece() {
	if len(k.text) < minPiece {
		for _, r := range k.text {
			k.ready = utf8.AppendRune(k.ready, r)
		}
	} else {
		k.mu.Lock()
		k.pieces = append(k.pieces, slices.Clone(k.text))
		k.mu.Unlock()
		k.ready = utf8.AppendRune(k.ready, pieceKey)
	}
	k.text = k.text[:0]
}

// isText reports whether the character may stand in a line.
func isText(r rune) bool { return !unicode.IsControl(r) && !reorders(r) }
