//go:build engine

package e2e

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"testing"

	"cloudai/master/client"
)

// logHas waits until the task's log contains the text.
func (w *world) logHas(t *testing.T, id, text string) {
	t.Helper()
	await(t, verdict, func(context.Context) error {
		if log := w.log(t, id, ""); !strings.Contains(log, text) {
			return fmt.Errorf("the log of task %s is %q so far", id, log)
		}
		return nil
	})
}

// log is the task's whole log as plain text, or that of one of its streams.
func (w *world) log(t *testing.T, id, stream string) string {
	t.Helper()
	return w.read(t, "/api/tasks/"+id+"/logs?stream="+stream)
}

// output is one of the task's output files.
func (w *world) output(t *testing.T, id, path string) string {
	t.Helper()
	return w.read(t, "/api/files/"+id+"/content/"+path)
}

// read gets something that is not JSON from the socket.
func (w *world) read(t *testing.T, path string) string {
	t.Helper()
	body := w.stream(t, path)
	defer body.Close()
	text, err := io.ReadAll(body)
	must(t, err)
	return string(text)
}

// stream is read for something long; the caller closes it.
func (w *world) stream(t *testing.T, path string) io.ReadCloser {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.Socket())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://master"+strings.TrimSuffix(path, "?stream="), nil)
	must(t, err)
	answer, err := transport.RoundTrip(request)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		body, err := io.ReadAll(answer.Body)
		t.Fatalf("GET %s answers %s: %s, %v", path, answer.Status, body, err)
	}
	return answer.Body
}

// A reader has each line while the container still runs.
func testLogLive(t *testing.T, w *world) {
	id := w.submit(t, w.gated("echo one; echo two >&2", "echo three"))
	w.becomes(t, id, "running")
	next, stop := iter.Pull2(w.API().Logs(t.Context(), id, client.LogOptions{Follow: true}))
	defer stop()
	record := func() client.LogRecord {
		t.Helper()
		r, err, ok := next()
		if !ok || err != nil || r.Time.IsZero() {
			t.Fatalf("the next record is %+v, %v, %v", r, err, ok)
		}
		return r
	}
	seen := map[string]string{}
	for range 2 {
		r := record()
		seen[r.Stream] += r.Text
	}
	if seen["stdout"] != "one" || seen["stderr"] != "two" {
		t.Errorf("the first two records are %v", seen)
	}
	if task := w.task(t, id); task.Status != "running" {
		t.Errorf("meanwhile: %s", describe(task))
	}
	w.open(t, w.containerOf(t, id))
	if r := record(); r.Text != "three" || r.Offset != 8 {
		t.Errorf("the third record is %+v", r)
	}
	if r, err, ok := next(); ok {
		t.Errorf("after the end: %+v, %v", r, err)
	}
	w.succeeded(t, id)
	// The same from the copy that stays, as a whole and from an offset.
	if log := w.log(t, id, ""); len(log) != 14 || !strings.HasSuffix(log, "three\n") {
		t.Errorf("the log is %q", log)
	}
	if text := w.read(t, "/api/tasks/"+id+"/logs?offset=8"); text != "three\n" {
		t.Errorf("from byte 8: %q", text)
	}
}

// A container that prints and ends at once loses nothing, time after time.
func testShortLog(t *testing.T, w *world) {
	const lines = 20000
	var ids []string
	for range 5 {
		ids = append(ids, w.submit(t, w.small(fmt.Sprintf("seq %d | sed 's/^/line /'", lines))))
	}
	want := numbered("line", lines)
	for _, id := range ids {
		w.succeeded(t, id)
		if log := w.log(t, id, ""); log != want {
			t.Errorf("the log of task %s has %d bytes of %d", id, len(log), len(want))
		}
	}
}
