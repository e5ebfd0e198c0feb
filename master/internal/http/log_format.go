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
	lower []byte                  // the record looked at, in lower case
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
		if err := lw.record(rec); err != nil {
			return err
		}
		if read.in.Follow && read.reader.Offset() >= read.present() {
			if err := errors.Join(lw.out.Flush(), control.Flush()); err != nil {
				return err
			}
		}
	}
}

// record writes the lines that are wanted. Most records of a long log have
// nothing of what is looked for, and are not taken apart.
func (lw *logWriter) record(rec logs.Record) error {
	if len(lw.query) > 0 {
		lw.lower = appendLower(lw.lower[:0], rec.Data)
		if !bytes.Contains(lw.lower, lw.query) {
			lw.open[rec.Stream] = rec.Partial
			return nil
		}
	}
	for line := range rec.Lines() {
		if err := lw.line(line); err != nil {
			return err
		}
	}
	return nil
}

// appendLower is bytes.ToLower into a buffer, which makes no garbage for ASCII.
func appendLower(buf, data []byte) []byte {
	start := len(buf)
	buf = append(buf, data...)
	for i, c := range data {
		if c >= utf8.RuneSelf {
			return append(buf[:start], bytes.ToLower(data)...)
		}
		if 'A' <= c && c <= 'Z' {
			buf[start+i] = c + ('a' - 'A')
		}
	}
	return buf
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
