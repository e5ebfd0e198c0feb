package fake

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudai/worker/internal/executor"
)

func TestParsePlan(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want plan
	}{
		{nil, plan{}},
		{map[string]string{"PATH": "/bin", "NOT_FAKE_EXIT": "x"}, plan{}},
		{map[string]string{"FAKE_SLEEP": "1.5s", "FAKE_EXIT": "7"}, plan{Sleep: 1500 * time.Millisecond, Exit: 7}},
		{map[string]string{"FAKE_LOG_LINES": "3"}, plan{Lines: 3, Width: 16}},
		{map[string]string{"FAKE_LOG_BYTES": "1050"}, plan{Lines: 10, Width: 105}},
		{map[string]string{"FAKE_LOG_BYTES": "7"}, plan{Lines: 1, Width: 7}},
		{map[string]string{"FAKE_LOG_LINES": "3", "FAKE_LOG_BYTES": "100"}, plan{Lines: 3, Width: 33, Tail: 1}},
		{map[string]string{"FAKE_LOG_LINES": "0", "FAKE_LOG_BYTES": "0"}, plan{}},
		{map[string]string{"FAKE_OUTPUT_FILES": "2"}, plan{Files: 2, FileBytes: 32}},
		{map[string]string{"FAKE_OUTPUT_BYTES": "9"}, plan{Files: 1, FileBytes: 9}},
		{map[string]string{"FAKE_OUTPUT_FILES": "2", "FAKE_OUTPUT_BYTES": "0"}, plan{Files: 2}},
		{map[string]string{"FAKE_FAIL": "oom", "FAKE_IGNORE_TERM": "1"}, plan{Fail: failOOM, IgnoreTerm: true}},
	} {
		got, err := parsePlan(tc.env)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", tc.env, err, diff)
		}
	}
}

func TestParsePlanNamesTheVariable(t *testing.T) {
	for name, value := range map[string]string{
		"FAKE_SLEEP": "long", "FAKE_EXIT": "256", "FAKE_LOG_LINES": "-1", "FAKE_LOG_BYTES": "1k",
		"FAKE_OUTPUT_FILES": "1e3", "FAKE_OUTPUT_BYTES": "99999999999999999999", "FAKE_FAIL": "maybe",
		"FAKE_IGNORE_TERM": "si", "FAKE_SLEPT": "1s",
	} {
		if _, err := parsePlan(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v, want an error with its name", name, value, err)
		}
	}
	both := map[string]string{"FAKE_LOG_LINES": "10", "FAKE_LOG_BYTES": "9"}
	if _, err := parsePlan(both); err == nil || !strings.Contains(err.Error(), "FAKE_LOG_BYTES") {
		t.Errorf("%v: %v", both, err)
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add("1s", "0", "10", "100", "1", "1", "oom")
	f.Add("-1s", "x", "0", "1", "", "-", "?")
	f.Fuzz(func(t *testing.T, sleep, exit, lines, logBytes, files, fileBytes, fail string) {
		p, err := parsePlan(map[string]string{
			"FAKE_SLEEP": sleep, "FAKE_EXIT": exit, "FAKE_LOG_LINES": lines, "FAKE_LOG_BYTES": logBytes,
			"FAKE_OUTPUT_FILES": files, "FAKE_OUTPUT_BYTES": fileBytes, "FAKE_FAIL": fail,
		})
		if err != nil {
			return
		}
		if p.Sleep < 0 || p.Exit < 0 || p.Exit > 255 || p.Files < 0 || p.FileBytes < 0 {
			t.Errorf("%+v", p)
		}
		if p.Lines < 0 || p.Lines > 0 && p.Width < 1 || p.Lines*p.Width+p.Tail > maxBytes+maxLines*defaultWidth {
			t.Errorf("log of %+v", p)
		}
	})
}

// The log must be the same whatever the offsets it is read from, for every
// shape.
func TestLogFromEveryOffset(t *testing.T) {
	for _, p := range []plan{
		{Lines: 1, Width: 1},
		{Lines: 1, Width: 3, Tail: 0},
		{Lines: 25, Width: 16},
		{Lines: 7, Width: 1},
		{Lines: 10, Width: 5, Tail: 9},
		{Lines: 11, Width: 4, Tail: 10},
		{Lines: 19, Width: 2, Tail: 18},
		{Lines: 30, Width: 6, Tail: 29},
	} {
		whole := readAll(t, p, executor.Offsets{})
		if got, want := int64(len(whole[0])+len(whole[1])), p.Lines*p.Width+p.Tail; got != want {
			t.Errorf("%+v: %d bytes, want %d", p, got, want)
		}
		for out := range len(whole[0]) + 2 {
			for errs := range len(whole[1]) + 2 {
				got := readAll(t, p, executor.Offsets{Stdout: int64(out), Stderr: int64(errs)})
				if got[0] != cut(whole[0], out) || got[1] != cut(whole[1], errs) {
					t.Fatalf("%+v from %d, %d: %q", p, out, errs, got)
				}
			}
		}
	}
}

// Long lines come in chunks.
func TestLogOfLongLines(t *testing.T) {
	p := plan{Lines: 3, Width: 3*maxChunk + 1}
	if got := readAll(t, p, executor.Offsets{}); int64(len(got[0])) != p.Lines*p.Width || strings.Count(got[0], "\n") != 3 {
		t.Errorf("%d bytes", len(got[0]))
	}
}

func cut(s string, from int) string { return s[min(from, len(s)):] }

func readAll(t *testing.T, p plan, from executor.Offsets) [2]string {
	t.Helper()
	var got [2]strings.Builder
	r := reader{plan: p, started: time.Now(), off: from, sink: func(c executor.LogChunk) error {
		if len(c.Data) > maxChunk {
			t.Errorf("a chunk of %d bytes", len(c.Data))
		}
		got[c.Stream-1].Write(c.Data)
		return nil
	}}
	if err := r.send(context.Background(), p.Lines); err != nil {
		t.Fatal(err)
	}
	return [2]string{got[0].String(), got[1].String()}
}

func TestDueIsMonotone(t *testing.T) {
	p := plan{Lines: 977, Width: 16, Sleep: 1234567 * time.Microsecond}
	last := int64(0)
	for d := time.Duration(-1); d <= p.Sleep+10; d += 997 * time.Microsecond {
		n := p.due(d)
		if n < last || n > p.Lines {
			t.Fatalf("due(%s) = %d after %d", d, n, last)
		}
		last = n
	}
	if p.due(p.Sleep) != p.Lines {
		t.Errorf("%d lines at the end", p.due(p.Sleep))
	}
}
