package cli

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is how long a test waits for words.
const deadline = 20 * time.Second

// tape keeps what is written and lets tests wait for it.
type tape struct {
	mu      sync.Mutex
	text    string
	read    int // what await has passed
	changed chan struct{}
	copied  sync.WaitGroup
}

// newTape records what is written to it, and what can be read from r.
func newTape(r io.Reader) *tape {
	tp := &tape{changed: make(chan struct{})}
	if r != nil {
		tp.copied.Go(func() { _, _ = io.Copy(tp, r) }) // a terminal ends with an error
	}
	return tp
}

func (tp *tape) Write(p []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.text += string(p)
	close(tp.changed)
	tp.changed = make(chan struct{})
	return len(p), nil
}

// await returns once the words have come after what was awaited before.
func (tp *tape) await(t testing.TB, words string) {
	t.Helper()
	if !tp.comes(words, deadline) {
		tp.mu.Lock()
		defer tp.mu.Unlock()
		t.Fatalf("%q did not come, only %q", words, tp.text[tp.read:])
	}
}

// comes reports whether the words come within the time.
func (tp *tape) comes(words string, within time.Duration) bool {
	timeout := time.After(within)
	for {
		tp.mu.Lock()
		at := strings.Index(tp.text[tp.read:], words)
		if at >= 0 {
			tp.read += at + len(words)
		}
		changed := tp.changed
		tp.mu.Unlock()
		if at >= 0 {
			return true
		}
		select {
		case <-changed:
		case <-timeout:
			return false
		}
	}
}

// all is everything so far.
func (tp *tape) all() string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.text
}
