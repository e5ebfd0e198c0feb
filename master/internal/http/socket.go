package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	nethttp "net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// Times of a WebSocket.
const (
	pingPause   = 20 * time.Second
	pongTimeout = 50 * time.Second // without a sign of life
	frameWrite  = 10 * time.Second // for one frame; a slower reader is cut off
	goodBye     = time.Second      // for what is left to say at the end
	readLimit   = 4 << 10          // bytes of a message that a client may send, which nobody reads
	readBuffer  = 1 << 10          // bytes
)

// The types of frames.
const (
	frameSnapshot = "snapshot" // all there is
	frameDelta    = "delta"    // what has changed
	frameResync   = "resync"   // all there is, since the client was too slow for every change
)

// socket is one WebSocket on its way out. send belongs to one goroutine.
type socket struct {
	conn *websocket.Conn
	over context.Context // no frame is begun after it
	seq  int64
}

// send sends the next frame.
func (s *socket) send(kind string, data any) error {
	if err := s.over.Err(); err != nil {
		return err
	}
	s.seq++
	if err := s.conn.SetWriteDeadline(time.Now().Add(frameWrite)); err != nil {
		return err
	}
	return s.conn.WriteJSON(client.Frame[any]{Seq: s.seq, Type: kind, Data: data})
}

// serveSocket opens a WebSocket and has send fill it, until the client goes,
// its identity ends or the edge stops. What the client sends is not read. Whether
// the caller may have it has been checked.
func (s *Server) serveSocket(w nethttp.ResponseWriter, r *nethttp.Request, send func(context.Context, *socket) error) {
	leave, refused := s.sockets.enter(caller(r.Context()).UserID)
	if refused != nil {
		writeProblem(w, refused)
		return
	}
	defer leave()
	upgrader := websocket.Upgrader{
		ReadBufferSize: readBuffer,
		CheckOrigin:    s.sameOrigin,
		Error: func(w nethttp.ResponseWriter, _ *nethttp.Request, status int, reason error) {
			why := strings.TrimPrefix(reason.Error(), "websocket: ")
			if status == nethttp.StatusForbidden {
				why = "this call comes from a page of another site; name that site in CORS_ALLOWED_ORIGINS if it is yours"
			}
			writeProblem(w, newProblem(status, why))
		},
	}
	conn, err := upgrader.Upgrade(meteredWriter{w}, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	ctx, done := s.untilStop(r.Context())
	defer done()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer func() { _ = conn.Close() }()
	conn.SetReadLimit(readLimit)
	helpers.Go(func() {
		defer done()
		shutOut(ctx, conn, drainSocket(conn))
	})
	helpers.Go(func() {
		defer done()
		keepAlive(ctx, conn)
	})
	helpers.Go(func() {
		defer done()
		if err := s.awaitEnd(ctx, callOf(r.Context()).who); err != nil {
			closeSocket(conn, websocket.ClosePolicyViolation, "the sign-in is over, or may do something else now")
		}
	})
	sent := make(chan struct{})
	helpers.Go(func() { cutOff(ctx, conn, sent) })
	err = send(ctx, &socket{conn: conn, over: ctx})
	close(sent)
	if errors.Is(err, websocket.ErrCloseSent) {
		<-ctx.Done() // whoever has said good-bye sees to it that it arrives
	}
	code, why := websocket.CloseNormalClosure, ""
	switch {
	case s.stopping.Err() != nil:
		code, why = websocket.CloseServiceRestart, "the master is stopping"
	case errors.Is(err, context.Canceled):
		// Nothing was heard of the client for too long. If it is there after all, it
		// must not take this for the whole.
		code, why = websocket.CloseGoingAway, "this was broken off"
	case err != nil:
		code, why = websocket.CloseInternalServerErr, "this could not be sent to its end"
		s.log.Debug("a WebSocket ended", "path", r.URL.Path, "error", err)
	}
	closeSocket(conn, code, why)
	done()
}

// cutOff sees to it that a frame under way to a client that does not read holds up
// neither the end nor the master's.
func cutOff(ctx context.Context, conn *websocket.Conn, sent <-chan struct{}) {
	<-ctx.Done()
	select {
	case <-sent:
	case <-time.After(goodBye):
		_ = conn.Close() // the frame fails
	}
}

// closeSocket says good-bye to a client that may have gone.
func closeSocket(conn *websocket.Conn, code int, why string) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(goodBye))
}

// socketQuery reads the query of a WebSocket's request and gathers what is
// wrong with it.
type socketQuery struct {
	values url.Values
	faults []cluster.FieldError
}

// querySocket reads a query that may say who calls, and what is known.
func querySocket(r *nethttp.Request, known ...string) (*socketQuery, *Problem) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, newProblem(nethttp.StatusBadRequest, "the query cannot be read")
	}
	q := &socketQuery{values: query}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		switch {
		case name != "access_token" && !slices.Contains(known, name):
			q.fault(within("", name), "is not a parameter of this call")
		case len(values) > 1:
			q.fault(name, "is there more than once")
		case values[0] == "" && name != "access_token":
			q.fault(name, "is empty; leave it out")
		case unreadable(values[0]):
			q.fault(name, "must be valid UTF-8 without control characters")
		}
	}
	return q, nil
}

func (q *socketQuery) fault(location, message string) {
	q.faults = append(q.faults, cluster.FieldError{Location: location, Message: message})
}

// number is a whole number within bounds, or what absent says.
func (q *socketQuery) number(name string, least, most, absent int64) int64 {
	text := q.values.Get(name)
	if text == "" {
		return absent
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.fault(name, fmt.Sprintf("must be a whole number from %d to %d", least, most))
	}
	return n
}

// problem lists the faults; nil: there are none.
func (q *socketQuery) problem() *Problem {
	if len(q.faults) == 0 {
		return nil
	}
	return invalidProblem(q.faults)
}

// sameOrigin lets in programs, pages of this very server, and those of the
// sites that are configured.
func (s *Server) sameOrigin(r *nethttp.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(s.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// drainSocket reads until the client goes, gives no sign of life or sends too
// much, and says which.
func drainSocket(conn *websocket.Conn) error {
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(pongTimeout)) }
	conn.SetPongHandler(alive)
	_ = alive("") // a connection that is gone shows at the read
	for {
		_, r, err := conn.NextReader()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			return err
		}
	}
}

// keepAlive pings, so that a client that has vanished shows.
func keepAlive(ctx context.Context, conn *websocket.Conn) {
	ticker := time.NewTicker(pingPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(frameWrite)); err != nil {
				return
			}
		}
	}
}
