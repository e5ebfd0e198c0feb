//go:build engine

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
)

// socket opens a WebSocket as that person.
func (p person) socket(t *testing.T, path string) (*websocket.Conn, int) {
	t.Helper()
	name, value, _ := strings.Cut(p.bearer, ": ")
	conn, answer, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(p.base, "http")+path, http.Header{name: {value}})
	if answer == nil {
		t.Fatal(err)
	}
	return conn, answer.StatusCode
}

// F23: one user opens WebSockets until there are no more, and sends pings on all
// of them at once without reading a pong. All are shut out, the master's memory
// stays flat, and another user hears of every task meanwhile.
func TestF23WebSocketFlood(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=5s")
	w.fakeWorker(t, "w1")
	eve, ann := w.register(t, "eve"), w.register(t, "ann")
	memory, files := resident(t, w.Master), descriptors(t, w.Master)
	b := w.watch(t, ann)
	watch, _ := ann.socket(t, "/ws/tasks")
	defer watch.Close()

	const most = 256 // of one user
	var open []*websocket.Conn
	for range most {
		conn, status := eve.socket(t, "/ws/telemetry")
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("WebSocket %d: %d", len(open)+1, status)
		}
		open = append(open, conn)
	}
	if _, status := eve.socket(t, "/ws/tasks"); status != http.StatusTooManyRequests {
		t.Errorf("one more: %d", status)
	}
	pings := bytes.Repeat(append([]byte{0x89, 0x80 | 125, 0, 0, 0, 0}, make([]byte, 125)...), 100)
	var flood sync.WaitGroup
	var sent atomic.Int64
	for _, conn := range open {
		flood.Go(func() {
			defer conn.Close()
			for {
				_ = conn.NetConn().SetWriteDeadline(time.Now().Add(10 * time.Second)) // it may be closed
				n, err := conn.NetConn().Write(pings)
				sent.Add(int64(n))
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a flood was not stopped")
				}
				if err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond) // some 160 MiB a second of all together
			}
		})
	}
	highest, heard := 0, 0
	for finished := done(&flood); heard == 0 || !closed(finished); heard++ {
		id := call[client.Task](t, ann, 201, "/api/tasks", "-d", `{"docker_image":"busybox"}`).TaskID
		must(t, hears(watch, id))
		highest = max(highest, resident(t, w.Master))
	}
	b.end(t, 5, 5*time.Second)
	if grown := highest - memory; grown > 64 {
		t.Errorf("the master grew by %d MiB", grown)
	}
	await(t, 20*time.Second, func(context.Context) error {
		if now := descriptors(t, w.Master); now > files+30 {
			return fmt.Errorf("%d descriptors are open, %d were before", now, files)
		}
		return nil
	})
	t.Logf("%d KiB of pings; memory %d to %d MiB; %d tasks heard of", sent.Load()>>10, memory, highest, heard)
}

// hears waits until the WebSocket tells of the end of the task.
func hears(watch *websocket.Conn, task string) error {
	if err := watch.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	for seq := int64(0); ; {
		var frame client.Frame[client.WatchedTasks]
		if err := watch.ReadJSON(&frame); err != nil {
			return err
		}
		if seq != 0 && frame.Seq != seq+1 {
			return errors.New("a frame is missing")
		}
		seq = frame.Seq
		for _, t := range frame.Data.Items {
			if t.TaskID == task && t.FinishedAt != nil {
				return nil
			}
		}
	}
}
