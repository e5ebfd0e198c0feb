//go:build engine

package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// soaking: the figures are measured in full, as `make soak` does; otherwise at
// counts that fit into `make test`.
var soaking = os.Getenv("SOAK") == "1"

// amount is how much of something a test does.
func amount(full, reduced int) int {
	if soaking {
		return full
	}
	return reduced
}

// TestMain prints what was measured when all tests have ended.
func TestMain(m *testing.M) {
	code := m.Run()
	fmt.Print(measured.table())
	os.Exit(code)
}

// figures are what was measured in this run.
type figures struct {
	mu   sync.Mutex
	rows []string
}

var measured figures

// row adds a line of cells.
func (f *figures) row(cells ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var line strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&line, "| %v\t", c)
	}
	f.rows = append(f.rows, line.String()+"|\n")
}

// table is all rows as Markdown; empty without any.
func (f *figures) table() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rows) == 0 {
		return ""
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)
	fmt.Fprint(w, "\n| figure\t| measured\t| at most\t|\n| ---\t| ---\t| ---\t|\n")
	for _, r := range f.rows {
		fmt.Fprint(w, r)
	}
	_ = w.Flush() // into memory
	return out.String()
}

// atMost notes a figure, and fails the test when it is more than the bound.
func atMost[T cmp.Ordered](t *testing.T, what string, got, bound T) {
	t.Helper()
	measured.row(what, got, bound)
	if got > bound {
		t.Errorf("%s: %v, at most %v wanted", what, got, bound)
	} else {
		t.Logf("%s: %v (at most %v)", what, got, bound)
	}
}

// milliseconds is a duration without digits that nobody reads.
func milliseconds(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// seeded is a source of chance that the log names, so that a run can be told
// from another.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
