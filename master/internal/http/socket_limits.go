package http

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"cloudai/master/internal/cluster"
)

// Bounds of what WebSockets take. A client has nothing to say on one but pings,
// pongs and good-bye.
const (
	socketBurst = 16 << 10 // bytes that a client may send at once
	socketRate  = 256      // bytes per second that it may go on with
	userSockets = 256      // open at a time, of one user
)

// errFlood ends a WebSocket whose client sends without end.
var errFlood = errors.New("more was sent than a client has to say here")

// partingPause is how long a connection stays after its client was told that it
// sends too much. Closing throws away what has not arrived yet when there is
// something that was not read.
const partingPause = 200 * time.Millisecond

// shutOut tells a client that has sent too much so; other ends of its reading are
// none of its business.
func shutOut(ctx context.Context, conn *websocket.Conn, why error) {
	switch {
	case errors.Is(why, errFlood):
		closeSocket(conn, websocket.ClosePolicyViolation, errFlood.Error())
	case errors.Is(why, websocket.ErrReadLimit): // it has been told
	default:
		return
	}
	timer := time.NewTimer(partingPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// socketCount is how many WebSockets each user has open.
type socketCount struct {
	mu   sync.Mutex
	open map[cluster.UserID]int
}

// enter counts one more; the refusal says that the user has enough of them.
func (c *socketCount) enter(user cluster.UserID) (leave func(), refused *Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[user] >= userSockets {
		return nil, newProblem(nethttp.StatusTooManyRequests,
			fmt.Sprintf("you have %d WebSockets open, and one user may have no more; close some", userSockets)).with("Retry-After", "5")
	}
	if c.open == nil {
		c.open = map[cluster.UserID]int{}
	}
	c.open[user]++
	return func() { c.leave(user) }, nil
}

func (c *socketCount) leave(user cluster.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[user]--; c.open[user] == 0 {
		delete(c.open, user)
	}
}

// meteredWriter is a response whose connection, once it is a WebSocket's, takes
// only so much from the client. Bytes are counted, not frames: every kind of
// frame, also an empty piece of a message without end, has some.
type meteredWriter struct{ nethttp.ResponseWriter }

// Hijack is for the upgrader, which must make a buffer of its own to read from:
// that of the server does not go through the meter.
func (w meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := nethttp.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &meteredConn{Conn: conn, room: rate.NewLimiter(socketRate, socketBurst)}, buffered, nil
}

type meteredConn struct {
	net.Conn
	room *rate.Limiter
}

// Read fails for good once the client has sent too much.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), socketBurst)])
	if n > 0 && !c.room.AllowN(time.Now(), n) {
		return 0, errFlood
	}
	return n, err
}
