package http

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	nethttp "net/http"
	"time"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/logs"
)

const logBuffer = 32 << 10 // bytes

// logWriter puts lines on the wire in one of the two formats.
type logWriter struct {
	out   *bufio.Writer
	json  *json.Encoder // nil: plain text
	times bool
	query []byte                  // lower case; empty: every line
	open  map[cluster.Stream]bool // the stream's last piece did not end its line
}

// copyLog sends records until the log's end; without follow until the size
// that it had at the call. Buffered bytes are sent on whenever the reader has
// caught up.
func copyLog(ctx context.Context, w nethttp.ResponseWriter, read *logRead) error {
	lw := &logWriter{
		out: bufio.NewWriterSize(w, logBuffer), times: read.in.Timestamps,
		query: bytes.ToLower([]byte(read.in.Q)), open: map[cluster.Stream]bool{},
	}
	if read.ndjson {
		lw.json = json.NewEncoder(lw.out)
		lw.json.SetEscapeHTML(false)
	}
	control := nethttp.NewResponseController(w)
	for {
		rec, err := read.reader.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && !read.in.Follow && rec.Offset >= read.size {
			return lw.out.Flush()
		}
		if err != nil {
			return errors.Join(err, lw.out.Flush())
		}
		for line := range rec.Lines() {
			if err := lw.line(line); err != nil {
				return err
			}
		}
		if read.in.Follow && read.reader.Offset() >= read.present() {
			if err := errors.Join(lw.out.Flush(), control.Flush()); err != nil {
				return err
			}
		}
	}
}

func (lw *logWriter) line(line logs.Record) error {
	begins := !lw.open[line.Stream]
	lw.open[line.Stream] = line.Partial
	if len(lw.query) > 0 && !bytes.Contains(bytes.ToLower(line.Data), lw.query) {
		return nil
	}
	if lw.json != nil {
		return lw.json.Encode(recordOf(line))
	}
	if lw.times && begins {
		stamp := line.Time.AppendFormat(lw.out.AvailableBuffer(), time.RFC3339Nano)
		if _, err := lw.out.Write(append(stamp, ' ')); err != nil {
			return err
		}
	}
	_, err := lw.out.Write(line.Data)
	return err
}

// recordOf is a line as NDJSON carries it: the line end is not part of the
// text, and a line without one is partial.
func recordOf(line logs.Record) client.LogRecord {
	data, ended := bytes.CutSuffix(line.Data, []byte("\n"))
	r := client.LogRecord{
		Offset: line.Offset, Next: line.Offset + int64(len(line.Data)), Time: line.Time.UTC(),
		Stream: line.Stream.String(), Partial: !ended,
	}
	if utf8.Valid(data) {
		r.Text = string(data)
	} else {
		r.Base64 = base64.StdEncoding.EncodeToString(data)
	}
	return r
}
