package http

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

var logTime = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

// addLog appends to an attempt's log; text is "o:..." for stdout, "e:..." for
// stderr, each piece a second after the one before.
type logMaker struct {
	e    *edge
	ref  cluster.AttemptRef
	ends map[cluster.Stream]int64
	at   time.Time
}

func (e *edge) log(id cluster.TaskID, attempt int) *logMaker {
	return &logMaker{e: e, ref: cluster.AttemptRef{TaskID: id, Attempt: attempt}, ends: map[cluster.Stream]int64{}, at: logTime}
}

func (l *logMaker) add(t testing.TB, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		stream := cluster.StreamStdout
		if p[0] == 'e' {
			stream = cluster.StreamStderr
		}
		data := []byte(p[2:])
		must(t, l.e.keeper.Append(l.ref, []cluster.LogChunk{{Stream: stream, Offset: l.ends[stream], Time: l.at, Data: data}}))
		l.ends[stream] += int64(len(data))
		l.at = l.at.Add(time.Second)
	}
}

func (l *logMaker) seal(t testing.TB) {
	t.Helper()
	end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: l.ends[cluster.StreamStdout], Stderr: l.ends[cluster.StreamStderr]}}
	need, err := l.e.keeper.Finish(t.Context(), l.ref, end)
	if err != nil || need != nil {
		t.Fatalf("need %v, err %v", need, err)
	}
}

// finished is a task with a complete log.
func finished(t testing.TB, e *edge) *logMaker {
	t.Helper()
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, "o:one\n", "e:bad\n", "o:two\n", "o:half", "o:\xff\n")
	l.seal(t)
	must(t, e.core.Finish(id, ptr(0), "", ""))
	return l
}

func TestLogText(t *testing.T) {
	e := newEdge(t)
	finished(t, e)
	tests := []struct{ query, body string }{
		{"", "one\nbad\ntwo\nhalf\xff\n"},
		{"?follow=true", "one\nbad\ntwo\nhalf\xff\n"},
		{"?attempt=1&offset=4", "bad\ntwo\nhalf\xff\n"},
		{"?offset=5", "ad\ntwo\nhalf\xff\n"},
		{"?offset=18", ""},
		{"?tail=2", "two\nhalf\xff\n"},
		{"?tail=0", ""},
		{"?tail=100", "one\nbad\ntwo\nhalf\xff\n"},
		{"?stream=stderr", "bad\n"},
		{"?stream=stdout&tail=1", "half\xff\n"},
		{"?q=TWO", "two\n"},
		{"?timestamps=true&tail=2", "2026-01-02T03:04:07.0000006Z two\n2026-01-02T03:04:08.0000006Z half\xff\n"},
	}
	for _, tt := range tests {
		w := e.get(t, "/api/tasks/task0001/logs"+tt.query)
		if w.Code != 200 || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, want %q", tt.query, w.Code, w.Body, tt.body)
		}
		result := w.Result()
		if h := result.Header; h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get(client.AttemptHeader) != "1" {
			t.Errorf("%s: headers %v", tt.query, h)
		}
		next := result.Header.Get(client.NextOffsetHeader) + result.Trailer.Get(client.NextOffsetHeader)
		if next != "18" {
			t.Errorf("%s: next offset %q", tt.query, next)
		}
	}
	p := wantProblem(t, e.get(t, "/api/tasks/task0001/logs?offset=19"), 416, "offset")
	if !strings.Contains(p.Detail, "18 bytes") {
		t.Errorf("%q", p.Detail)
	}
}

func TestLogRecords(t *testing.T) {
	e := newEdge(t)
	finished(t, e)
	w := e.get(t, "/api/tasks/task0001/logs", "Accept: application/x-ndjson")
	if ct := w.Header().Get("Content-Type"); ct != "application/x-ndjson" {
		t.Errorf("content type %q", ct)
	}
	golden(t, "testdata/log.ndjson", w.Body.Bytes())
	var whole []byte
	for line := range strings.Lines(w.Body.String()) {
		var r client.LogRecord
		must(t, json.Unmarshal([]byte(line), &r))
		data, err := r.Bytes()
		must(t, err)
		if r.Offset != int64(len(whole)) || r.Next != r.Offset+int64(len(data)) {
			t.Errorf("record %+v at %d", r, len(whole))
		}
		whole = append(whole, data...)
	}
	if string(whole) != "one\nbad\ntwo\nhalf\xff\n" {
		t.Errorf("records make %q", whole)
	}
}

// While a task runs, a read without follow ends with what is there.
func TestLogOfRunningTask(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	if w := e.get(t, "/api/tasks/task0001/logs"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get(client.NextOffsetHeader) != "0" {
		t.Errorf("queued: %d %q %v", w.Code, w.Body, w.Header())
	}
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, "o:one\n", "o:tw")
	if w := e.get(t, "/api/tasks/task0001/logs?offset=2"); w.Body.String() != "e\ntw" || w.Header().Get(client.NextOffsetHeader) != "6" {
		t.Errorf("running: %q %v", w.Body, w.Header())
	}
	if w := e.get(t, "/api/tasks/task0001/logs?offset=9"); w.Body.String() != "" || w.Header().Get(client.NextOffsetHeader) != "9" {
		t.Errorf("beyond: %q %v", w.Body, w.Header())
	}
	l.seal(t)
}

// serve puts the edge behind a real listener, as the socket's door.
func (e *edge) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(e)
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, doorKey{}, doorSocket)
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(nethttp.DefaultClient.CloseIdleConnections)
	return server.URL
}

func (e *edge) follow(t *testing.T, url string) (*nethttp.Response, *bufio.Reader) {
	t.Helper()
	req, err := nethttp.NewRequestWithContext(t.Context(), "GET", url, nil)
	must(t, err)
	resp, err := nethttp.DefaultClient.Do(req)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

func TestLogFollow(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	resp, lines := e.follow(t, e.serve(t)+"/api/tasks/task0001/logs?follow=true")
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	for n := range 3 {
		want := fmt.Sprintf("line %d\n", n)
		l.add(t, "o:"+want)
		if got, err := lines.ReadString('\n'); got != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	l.seal(t)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	if next := resp.Trailer.Get(client.NextOffsetHeader); next != "21" {
		t.Errorf("trailer %q", next)
	}
	must(t, e.core.Finish(id, ptr(0), "", ""))
}

// Whoever follows a task that is cancelled before it was placed is let go.
func TestLogFollowOfStillborn(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	resp, body := e.follow(t, e.serve(t)+"/api/tasks/task0001/logs?follow=true")
	_, err := e.core.Cancel(t.Context(), cluster.Principal{Role: cluster.RoleAdmin}, id)
	must(t, err)
	if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v", rest, err)
	}
	if next := resp.Trailer.Get(client.NextOffsetHeader); next != "0" {
		t.Errorf("trailer %q", next)
	}
}

// A stop of the edge breaks the stream off visibly, so that nobody takes the
// part for the whole.
func TestLogFollowIsBrokenOffByStop(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, "o:one\n")
	_, body := e.follow(t, e.serve(t)+"/api/tasks/task0001/logs?follow=true")
	if got, err := body.ReadString('\n'); got != "one\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	e.stop()
	if rest, err := io.ReadAll(body); err == nil {
		t.Errorf("got %q and a clean end", rest)
	}
	l.seal(t)
}

// Logs that are kept no longer are told from those that are empty.
func TestDeletedLogsAreGone(t *testing.T) {
	e := newEdge(t)
	e.submit(t, "ann", cluster.TaskRequest{})
	must(t, e.core.Edit("task0001", func(v *coordinator.TaskView, _ time.Time) error {
		v.LogsDeleted = true
		return nil
	}))
	w := e.ask(t, doorSocket, "GET", "/api/tasks/task0001/logs", "", client.UserHeader+": ann")
	wantProblem(t, w, 410)
	if !strings.Contains(w.Body.String(), "kept no longer") {
		t.Errorf("it does not say so: %s", w.Body)
	}
	if got := decode[client.Task](t, e.ask(t, doorSocket, "GET", "/api/tasks/task0001", ""), 200); !got.LogsDeleted {
		t.Error("the task does not say so")
	}
}
