package cli

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/chzyer/readline"
)

// terminal is the mode and the size of the terminal that is read from.
type terminal struct {
	file    *os.File
	columns atomic.Int64 // that line editing knows of
	again   func()       // has it ask for them again

	mu     sync.Mutex
	cooked *readline.State // as it was before it was made raw
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

const (
	usualWidth = 80
	// leastWidth is what line editing is told of narrower terminals. It must be
	// more than any prompt has: where a prompt fills whole lines, line editing
	// counts them for ever.
	leastWidth = 20
)

// width is for line editing, and noted.
func (t *terminal) width() int {
	columns := t.measure()
	t.columns.Store(int64(columns))
	return columns
}

func (t *terminal) measure() int {
	columns := 0
	withFd(t.file, func(fd int) { columns, _, _ = readline.GetSize(fd) })
	if columns <= 0 {
		columns = usualWidth
	}
	return max(columns, leastWidth)
}

// onResize keeps what has line editing ask for the width again. That may be
// done between two keys only, so it is looked at there, not at the signal.
func (t *terminal) onResize(again func()) { t.again = again }

// resized reports whether the terminal has another width than line editing
// thinks.
func (t *terminal) resized() bool { return int64(t.measure()) != t.columns.Load() }
