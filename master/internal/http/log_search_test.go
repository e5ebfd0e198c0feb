package http

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"cloudai/master/internal/cluster"
)

// searched is a task with a complete log of the pieces.
func searched(t testing.TB, e *edge, pieces ...string) {
	t.Helper()
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, pieces...)
	l.seal(t)
	must(t, e.core.Finish(id, ptr(0), "", ""))
}

// A search gives what a look at each line gives, although it skips whole records.
func TestLogSearchIsByLine(t *testing.T) {
	e := newEdge(t)
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "Line %d of a record\n", i)
	}
	searched(t, e, "o:Grüße\nGRÜN\nx\n", "e:plain and\ntwo\n", "o:"+many.String(), "o:broken \xff\nbytes\n", "e:no end")
	whole := e.get(t, "/api/tasks/task0001/logs").Body.String()
	for _, q := range []string{"grü", "GRÜ", "plain", "line 49", "LINE", "d\ntwo", "\xff", "\ufffd", "no e", "nowhere"} {
		want := ""
		for line := range strings.Lines(whole) {
			if strings.Contains(strings.ToLower(line), strings.ToLower(q)) {
				want += line
			}
		}
		w := e.get(t, "/api/tasks/task0001/logs?q="+url.QueryEscape(q))
		if w.Code == 422 && (strings.Contains(q, "\n") || !utf8.ValidString(q)) {
			continue // not a text that can be asked for
		}
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%q: %d, %d bytes, want %d", q, w.Code, w.Body.Len(), len(want))
		}
	}
}

// BenchmarkLogSearch looks for what is not in a million lines.
func BenchmarkLogSearch(b *testing.B) {
	e := newEdge(b)
	piece := "o:" + strings.Repeat("2026-01-02T03:04:05Z INFO step 17 of 100: loss 0.1234, accuracy 0.9876, learning rate 0.001 .......\n", 10_000)
	pieces := make([]string, 100)
	for i := range pieces {
		pieces[i] = piece
	}
	searched(b, e, pieces...)
	b.SetBytes(int64(100 * (len(piece) - 2)))
	b.ReportAllocs()
	for b.Loop() {
		if w := e.get(b, "/api/tasks/task0001/logs?q=no+such+text"); w.Code != 200 || w.Body.Len() > 0 {
			b.Fatal(w.Code, w.Body.Len())
		}
	}
}
