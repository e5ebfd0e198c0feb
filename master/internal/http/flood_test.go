package http

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// clientFrame is a frame as a client sends it, with a mask of zeros.
func clientFrame(final bool, opcode byte, payload int) []byte {
	frame := []byte{opcode}
	if final {
		frame[0] |= 0x80
	}
	switch {
	case payload < 126:
		frame = append(frame, 0x80|byte(payload))
	case payload < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(payload))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(payload))
	}
	return append(frame, make([]byte, 4+payload)...)
}

const (
	opContinuation = 0x0
	opText         = 0x1
	opPing         = 0x9
	opPong         = 0xa
)

// F23: a client that sends without end on a WebSocket, be it messages, one huge
// message, one of endless pieces, or pings whose pongs it does not read, is shut
// out with the reason. Other WebSockets go on, and nothing piles up.
func TestF23WebSocketFlood(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	running := e.submit(t, "root", cluster.TaskRequest{})
	must(t, e.core.Run(running, "w1"))
	e.log(running, 1).add(t, "o:a line\n")
	e.core.SetWorkers(aWorker("w1", 1))
	base := e.served(t)
	other, _ := dial(t, base+"/ws/tasks", bearer, "")
	frame[client.WatchedTasks](t, other)
	memory, goroutines := heap(), runtime.NumGoroutine()
	floods := map[string]struct {
		first, then []byte
		code        int
	}{
		"messages":     {nil, clientFrame(true, opText, 10), websocket.ClosePolicyViolation},
		"no messages":  {nil, clientFrame(true, opText, 0), websocket.ClosePolicyViolation},
		"a huge one":   {clientFrame(true, opText, 50<<20)[:14], make([]byte, 1<<20), websocket.CloseMessageTooBig},
		"large ones":   {nil, clientFrame(true, opText, readLimit), websocket.ClosePolicyViolation},
		"pieces":       {clientFrame(false, opText, 1), clientFrame(false, opContinuation, 100), websocket.CloseMessageTooBig},
		"empty pieces": {clientFrame(false, opText, 0), clientFrame(false, opContinuation, 0), websocket.ClosePolicyViolation},
		"pings":        {nil, clientFrame(true, opPing, 125), websocket.ClosePolicyViolation},
		"pongs":        {nil, clientFrame(true, opPong, 0), websocket.ClosePolicyViolation},
	}
	t.Run("all", func(t *testing.T) {
		for _, route := range []string{"/ws/telemetry", "/ws/telemetry/w1", "/ws/tasks", "/ws/tasks/" + string(running) + "/logs"} {
			for name, flood := range floods {
				t.Run(name+route, func(t *testing.T) {
					t.Parallel()
					conn, status := dial(t, base+route, bearer, "")
					if status != 101 {
						t.Fatal(status)
					}
					sendFlood(t, conn.NetConn(), flood.first, flood.then)
					if code := closeCode(t, conn); code != flood.code {
						t.Errorf("it ends with %d, want %d", code, flood.code)
					}
				})
			}
		}
	})
	id := e.submit(t, "root", cluster.TaskRequest{})
	for seen := false; !seen; {
		for _, task := range frame[client.WatchedTasks](t, other).Data.Items {
			seen = seen || task.TaskID == string(id)
		}
	}
	awaitGoroutines(t, goroutines)
	if grown := heap() - memory; grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// sendFlood sends until it is stopped, and reads nothing meanwhile. What is
// stopped must be so long before all of it is taken.
func sendFlood(t *testing.T, conn net.Conn, first, then []byte) {
	t.Helper()
	must(t, conn.SetWriteDeadline(time.Now().Add(10*time.Second)))
	_, err := conn.Write(first)
	many := bytes.Repeat(then, max(1, 64<<10/len(then)))
	for sent := 0; err == nil && sent < 256<<20; sent += len(many) {
		_, err = conn.Write(many)
	}
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("the flood was not stopped: %v", err)
	}
}

// closeCode is the code of the good-bye among what is there to be read.
func closeCode(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	for {
		_, r, err := conn.NextReader()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		var end *websocket.CloseError
		if errors.As(err, &end) {
			return end.Code
		}
		if err != nil {
			t.Errorf("no good-bye: %v", err)
			return 0
		}
	}
}

// heap is the memory in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func awaitGoroutines(t *testing.T, most int) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > most; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Errorf("%d goroutines, and there were %d", runtime.NumGoroutine(), most)
			return
		}
	}
}

// F23: a client that pings and reads as it should, and says a word now and then,
// stays.
func TestWebSocketKeepsAlive(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	conn, _ := dial(t, e.served(t)+"/ws/tasks", bearer, "")
	frame[client.WatchedTasks](t, conn)
	pongs := 0
	conn.SetPongHandler(func(string) error {
		pongs++
		return nil
	})
	for range 100 {
		must(t, conn.WriteControl(websocket.PingMessage, []byte("alive?"), time.Now().Add(time.Second)))
		must(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"type": "ping"}`)))
	}
	e.submit(t, "root", cluster.TaskRequest{})
	if f := frame[client.WatchedTasks](t, conn); f.Type != "delta" {
		t.Errorf("%+v", f)
	}
	if pongs == 0 {
		t.Error("no pong came")
	}
}

// One user has only so many WebSockets; others have theirs, and who closes one
// may open another.
func TestF23WebSocketsOfOneUser(t *testing.T) {
	e := newEdge(t)
	e.signUp(t, "root")
	ann, _ := e.signUp(t, "ann")
	bob, _ := e.signUp(t, "bob")
	base := e.served(t)
	var open []*websocket.Conn
	for range userSockets {
		conn, status := dial(t, base+"/ws/tasks", ann, "")
		if status != 101 {
			t.Fatalf("%d after %d", status, len(open))
		}
		open = append(open, conn)
	}
	w := e.ask(t, doorTCP, "GET", "/ws/telemetry", "", ann)
	if p := wantProblem(t, w, 429); w.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "close some") {
		t.Errorf("%+v %v", p, w.Header())
	}
	if _, status := dial(t, base+"/ws/telemetry", bob, ""); status != 101 {
		t.Errorf("another user: %d", status)
	}
	must(t, open[0].Close())
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, status := dial(t, base+"/ws/tasks", ann, ""); status == 101 {
			return
		}
		if time.Now().After(until) {
			t.Fatal("a place that was given up is not given again")
		}
	}
}
