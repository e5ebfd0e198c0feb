package http

import (
	"context"
	"fmt"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// A watcher that takes the snapshot and every delta has the tasks as they are,
// and frames without a hole.
func TestWatchTasks(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	for range 3 {
		e.submit(t, "ann", cluster.TaskRequest{})
	}
	conn, _ := dial(t, e.served(t)+"/ws/tasks?limit=2", bearer, "")
	first := frame[client.WatchedTasks](t, conn)
	if first.Seq != 1 || first.Type != "snapshot" || len(first.Data.Items) != 2 || first.Data.Items[0].TaskID != "task0003" {
		t.Fatalf("%+v", first)
	}
	id := e.submit(t, "bob", cluster.TaskRequest{})
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Run("task0001", "w1")) // is not in the snapshot
	must(t, e.core.Finish(id, ptr(0), "", ""))
	have := map[string]string{}
	for seq := int64(2); have[string(id)] != "succeeded" || have["task0001"] != "running"; seq++ {
		f := frame[client.WatchedTasks](t, conn)
		if f.Seq != seq || f.Type != "delta" || len(f.Data.Items) == 0 {
			t.Fatalf("%+v", f)
		}
		for _, task := range f.Data.Items {
			have[task.TaskID] = task.Status
		}
	}
}

// A watcher hears when a task is gone, and of one that changed and went in the
// same moment only that.
func TestWatchTasksThatGo(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	var ids []string
	for range 3 {
		id := e.submit(t, "ann", cluster.TaskRequest{})
		must(t, e.core.Run(id, "w1"))
		must(t, e.core.Finish(id, ptr(0), "", ""))
		ids = append(ids, string(id))
	}
	conn, _ := dial(t, e.served(t)+"/ws/tasks", bearer, "")
	if f := frame[client.WatchedTasks](t, conn); len(f.Data.Items) != 3 || f.Data.Removed != nil {
		t.Fatalf("%+v", f)
	}
	e.ask(t, doorSocket, "DELETE", "/api/files/"+ids[0], "")
	decode[client.PruneReport](t, e.ask(t, doorSocket, "POST", "/api/cluster/prune", `{"tasks":"0s"}`), 200)
	for seq, gone := int64(2), []string{}; len(gone) < 3; seq++ {
		f := frame[client.WatchedTasks](t, conn)
		gone = append(gone, f.Data.Removed...)
		for _, task := range f.Data.Items {
			if slices.Contains(gone, task.TaskID) {
				t.Errorf("%s changes after its end", task.TaskID)
			}
		}
		if f.Seq != seq || f.Type != "delta" || f.Data.Items == nil {
			t.Fatalf("%+v", f)
		}
	}
}

// F22: nobody sees another's task on a WebSocket, nor that it goes.
func TestF22WatchTasksOfOthers(t *testing.T) {
	e := newEdge(t)
	e.signUp(t, "root")
	bearer, ann := e.signUp(t, "ann")
	e.submit(t, "bob", cluster.TaskRequest{})
	conn, _ := dial(t, e.served(t)+"/ws/tasks", bearer, "")
	if f := frame[client.WatchedTasks](t, conn); len(f.Data.Items) != 0 {
		t.Fatalf("%+v", f)
	}
	must(t, e.core.Run("task0001", "w1"))
	must(t, e.core.Finish("task0001", ptr(0), "", ""))
	decode[client.PruneReport](t, e.ask(t, doorSocket, "POST", "/api/cluster/prune", `{"tasks":"0s"}`), 200)
	mine := e.submit(t, cluster.UserID(ann.User.ID), cluster.TaskRequest{})
	f := frame[client.WatchedTasks](t, conn)
	if f.Seq != 2 || len(f.Data.Items) != 1 || f.Data.Items[0].TaskID != string(mine) || len(f.Data.Removed) > 0 {
		t.Fatalf("%+v", f)
	}
}

// Frames of large tasks are bounded: a thousand of them in one would be a gigabyte.
func TestTaskFramesAreBounded(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	conn, _ := dial(t, e.served(t)+"/ws/tasks", bearer, "")
	frame[client.WatchedTasks](t, conn)
	const n = 12
	for range n {
		e.submit(t, "ann", cluster.TaskRequest{Env: megabyte()})
	}
	for seen := 0; seen < n; {
		items := frame[client.WatchedTasks](t, conn).Data.Items
		if len(items) > 5 {
			t.Fatalf("%d in one frame", len(items))
		}
		seen += len(items)
	}
}

// megabyte is as large an environment as a task can be submitted with.
func megabyte() map[string]string {
	env := map[string]string{}
	for i := range 8 {
		env[fmt.Sprint(i)] = strings.Repeat("x", 130_000)
	}
	return env
}

// F28: who does not read does not hold up the end.
func TestF28StopsWithoutReaders(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	narrow := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}
	for range 20 {
		e.submit(t, "ann", cluster.TaskRequest{Env: megabyte()})
	}
	header := nethttp.Header{"Authorization": {strings.TrimPrefix(bearer, "Authorization: ")}}
	conn, reply, err := narrow.DialContext(t.Context(), e.served(t)+"/ws/tasks", header)
	must(t, err)
	defer conn.Close()
	defer reply.Body.Close()
	start := time.Now()
	e.stop()
	await(t, e.gate.TryLock) // it is free once the last request is over
	defer e.gate.Unlock()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestSlowTaskWatcherIsResynced(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	e.core.Flood()
	conn, _ := dial(t, e.served(t)+"/ws/tasks", bearer, "")
	for seq, want := range []string{"snapshot", "resync"} {
		f := frame[client.WatchedTasks](t, conn)
		if f.Seq != int64(seq+1) || f.Type != want || len(f.Data.Items) != 1 {
			t.Fatalf("%+v, want %s", f, want)
		}
	}
	must(t, e.core.Run(id, "w1"))
	if f := frame[client.WatchedTasks](t, conn); f.Seq != 3 || f.Type != "delta" || f.Data.Items[0].Status != "running" {
		t.Fatalf("%+v", f)
	}
}

func TestTaskSocketsRefuse(t *testing.T) {
	e := newEdge(t)
	root, _ := e.signUp(t, "root")
	bob, _ := e.signUp(t, "bob")
	l := finished(t, e)
	base := e.served(t)
	blind := decode[client.NewAPIToken](t, e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x","scopes":["submit"]}`, root), 201)
	logs := "/ws/tasks/" + string(l.ref.TaskID) + "/logs"
	for url, want := range map[string]int{
		"/ws/tasks": 101, "/ws/tasks?limit=0": 422, "/ws/tasks?limit=x": 422, "/ws/tasks?status=queued": 422,
		logs: 101, logs + "?offset=-1": 422, logs + "?offset=1&tail=1": 422, logs + "?stream=both": 422, logs + "?attempt=2": 422,
		logs + "?offset=9999": 416, logs + "?follow=true": 422, logs + "?offset=": 422, "/ws/tasks/none/logs": 404,
	} {
		if _, got := dial(t, base+url, root, ""); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
		if _, got := dial(t, base+url, "", ""); got != 401 {
			t.Errorf("%s: nobody hears %d", url, got)
		}
		if _, got := dial(t, base+url, "Authorization: Bearer "+blind.Secret, ""); got != 403 {
			t.Errorf("%s: without the scope: %d", url, got)
		}
		if _, got := dial(t, base+url, root, "https://evil.example"); got != 403 {
			t.Errorf("%s: from another site: %d", url, got)
		}
	}
	for _, query := range []string{"", "?offset=9999", "?nonsense=1"} {
		if _, got := dial(t, base+logs+query, bob, ""); got != 404 {
			t.Errorf("another's log%s: %d", query, got)
		}
	}
}

// readLog reads records until the socket ends, and gives how it ended.
func readLog(t *testing.T, conn *websocket.Conn, most int) (text string, next int64, ended error) {
	t.Helper()
	begin := frame[client.LogBegin](t, conn)
	if begin.Seq != 1 || begin.Type != "snapshot" || begin.Data.Attempt != 1 {
		t.Fatalf("%+v", begin)
	}
	next = begin.Data.Offset
	for n := range most {
		var f client.Frame[client.LogRecord]
		must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		if err := conn.ReadJSON(&f); err != nil {
			return text, next, err
		}
		if f.Seq != int64(n+2) || f.Type != "delta" || f.Data.Offset != next {
			t.Fatalf("%+v after %d", f, next)
		}
		data, err := f.Data.Bytes()
		must(t, err)
		text, next = text+string(data), f.Data.Next
	}
	return text, next, nil
}

// A reader whose connection breaks goes on by offset and has every byte once;
// a log that is complete ends with 1000.
func TestLogSocketResumes(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	base := e.served(t)
	conn, _ := dial(t, base+"/ws/tasks/task0001/logs", bearer, "")
	must(t, e.core.Run(id, "w1"))
	l := e.log(id, 1)
	l.add(t, "o:one\n", "e:bad\n")
	head, next, err := readLog(t, conn, 2)
	must(t, err)
	must(t, conn.Close())
	l.add(t, "o:two\n", "o:\xff\n")
	conn, _ = dial(t, fmt.Sprintf("%s/ws/tasks/task0001/logs?offset=%d", base, next), bearer, "")
	l.seal(t)
	rest, _, err := readLog(t, conn, 100)
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the end: %v", err)
	}
	if head+rest != "one\nbad\ntwo\n\xff\n" {
		t.Errorf("got %q", head+rest)
	}
	must(t, e.core.Finish(id, ptr(0), "", ""))
	conn, _ = dial(t, base+"/ws/tasks/task0001/logs?tail=1&stream=stderr", bearer, "")
	frame[client.LogBegin](t, conn)
	if f := frame[client.LogRecord](t, conn); f.Data.Text != "bad" {
		t.Errorf("%+v", f)
	}
}

func TestLogSocketOfStillborn(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	conn, _ := dial(t, e.served(t)+"/ws/tasks/task0001/logs", bearer, "")
	_, err := e.core.Cancel(t.Context(), cluster.Principal{Role: cluster.RoleAdmin}, id)
	must(t, err)
	if _, _, err := readLog(t, conn, 1); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the end: %v", err)
	}
}

// What was broken off does not end as a log does that was sent to its end.
func TestBrokenOffIsNotComplete(t *testing.T) {
	e := newEdge(t)
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		e.serveSocket(w, r, func(context.Context, *socket) error { return context.Canceled })
	}))
	defer server.Close()
	conn, _ := dial(t, strings.Replace(server.URL, "http", "ws", 1), "", "")
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, _, err := conn.NextReader(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("it ended with %v", err)
	}
}
