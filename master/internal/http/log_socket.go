package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	nethttp "net/http"
	"slices"
	"sync"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// watchLog sends the log of one attempt over a WebSocket, from an offset on and
// until it is complete: first where it begins, then one record per frame, as
// GET gives them as NDJSON. A connection that ends with 1000 has had the whole.
func (s *Server) watchLog(w nethttp.ResponseWriter, r *nethttp.Request) {
	p := caller(r.Context())
	refuse := func(err error) { writeProblem(w, problemOf(err, s.log)) }
	if err := accessRead.allows(p); err != nil {
		refuse(err)
		return
	}
	view, err := s.core.Task(r.Context(), p, cluster.TaskID(r.PathValue("id")))
	if err != nil {
		refuse(err)
		return
	}
	in, refused := logSocketInput(r)
	if refused != nil {
		writeProblem(w, refused)
		return
	}
	read, err := s.openLogOf(r.Context(), view, in)
	if err != nil {
		refuse(err)
		return
	}
	read.caller = p
	noteSocket(r.Context(), "watchTaskLog", view.ID)
	defer func() { _ = read.reader.Close() }() // only read
	s.serveSocket(w, r, func(ctx context.Context, socket *socket) error { return s.sendRecords(ctx, socket, read) })
}

func logSocketInput(r *nethttp.Request) (*logInput, *Problem) {
	q, refused := querySocket(r, "offset", "tail", "attempt", "stream", "q")
	if refused != nil {
		return nil, refused
	}
	const most = 1_000_000_000
	in := &logInput{
		Follow: true, Offset: q.number("offset", 0, math.MaxInt64, 0), Tail: int(q.number("tail", -1, most, -1)),
		Attempt: int(q.number("attempt", 0, most, 0)), Stream: q.values.Get("stream"), Q: q.values.Get("q"),
	}
	if !slices.Contains([]string{"", "stdout", "stderr"}, in.Stream) {
		q.fault("stream", "must be stdout or stderr")
	}
	if len(in.Q) > logQueryMost {
		q.fault("q", "must be at most 1024 bytes")
	}
	if in.Offset > 0 && in.Tail >= 0 {
		q.fault("tail", "cannot go with offset")
	}
	return in, q.problem()
}

// sendRecords sends records until the log is complete.
func (s *Server) sendRecords(ctx context.Context, socket *socket, read *logRead) error {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	neverBorn := false
	if read.unborn {
		watch.Go(func() { neverBorn = s.awaitStillbirth(ctx, read, cancel) })
	}
	err := s.sendAll(ctx, socket, read)
	cancel()
	watch.Wait()
	if neverBorn {
		return nil // it has nothing, and that is all
	}
	return err
}

// sendAll sends where the log begins, and then all of it.
func (s *Server) sendAll(ctx context.Context, socket *socket, read *logRead) error {
	begin := client.LogBegin{Attempt: read.ref.Attempt, Offset: read.reader.Offset()}
	if err := socket.send(frameSnapshot, begin); err != nil {
		return err
	}
	query := bytes.ToLower([]byte(read.in.Q))
	for {
		rec, err := read.reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range rec.Lines() {
			if !bytes.Contains(bytes.ToLower(line.Data), query) {
				continue
			}
			if err := socket.send(frameDelta, recordOf(line)); err != nil {
				return err
			}
		}
	}
}
