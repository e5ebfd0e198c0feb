package cli

import (
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/chzyer/readline"
)

// terminal is the mode and the size of the terminal that is read from.
type terminal struct {
	file *os.File

	mu      sync.Mutex
	cooked  *readline.State // as it was before it was made raw
	resize  chan os.Signal
	resized atomic.Bool  // since the last key
	changed func()       // has line editing ask for the width again
	columns atomic.Int64 // that line editing knows of
	done    sync.WaitGroup
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
	columns := 0
	withFd(t.file, func(fd int) { columns, _, _ = readline.GetSize(fd) })
	if columns <= 0 {
		columns = usualWidth
	}
	columns = max(columns, leastWidth)
	t.columns.Store(int64(columns))
	return columns
}

// onResize notes a resize; line editing may hear of it between two keys only.
func (t *terminal) onResize(changed func()) {
	t.changed = changed
	t.resize = make(chan os.Signal, 1)
	signal.Notify(t.resize, syscall.SIGWINCH)
	t.done.Go(func() {
		for range t.resize {
			t.resized.Store(true)
		}
	})
}

func (t *terminal) close() {
	if t.resize != nil {
		signal.Stop(t.resize)
		close(t.resize)
		t.done.Wait()
	}
}
