package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// LogOptions say what of a task's log is read.
type LogOptions struct {
	Attempt int    // 0: the newest at the time of the call
	Offset  int64  // first byte
	Tail    *int   // only the last so many lines, in place of Offset
	Follow  bool   // stay until the attempt's log is complete
	Stream  string // stdout or stderr; empty: both
	Text    string // only lines that contain this
}

// Bytes are the line as it was in the log, with its line end if it had one.
func (r LogRecord) Bytes() ([]byte, error) {
	data := []byte(r.Text)
	if r.Base64 != "" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(r.Base64); err != nil {
			return nil, fmt.Errorf("log record at %d: %w", r.Offset, err)
		}
	}
	if !r.Partial {
		data = append(data, '\n')
	}
	return data, nil
}

// Logs gives the log of one attempt line by line. With Follow it ends when the
// attempt's log is complete and goes on by offset after a broken connection,
// for as long as the client has patience. It ends after the first error.
func (c *Client) Logs(ctx context.Context, id string, o LogOptions) iter.Seq2[LogRecord, error] {
	return func(yield func(LogRecord, error) bool) {
		patience := c.newPatience()
		for {
			r, err := c.openLog(ctx, id, o)
			if err == nil {
				patience.alive()
				o.Attempt = r.attempt
				err = r.each(func(record LogRecord) bool {
					o.Offset, o.Tail = record.Next, nil
					patience.alive()
					return yield(record, nil)
				})
				_ = r.body.Close() // only read
			}
			switch {
			case err == nil || errors.Is(err, errEnough):
				return
			case ctx.Err() != nil:
				err = ctx.Err()
			case o.Follow:
				err = patience.again(ctx, err)
			}
			if err != nil {
				yield(LogRecord{}, err)
				return
			}
		}
	}
}

// FollowLogs gives the log of a task line by line, of its newest attempt at the
// time of the call and of each further one, until the task is over. It is as
// patient as Logs.
func (c *Client) FollowLogs(ctx context.Context, id string) iter.Seq2[LogRecord, error] {
	return func(yield func(LogRecord, error) bool) {
		t, err := c.Task(ctx, id)
		for attempt := t.Attempt; err == nil; attempt = t.Attempt {
			for record, err := range c.Logs(ctx, id, LogOptions{Attempt: attempt, Follow: true}) {
				if !yield(record, err) || err != nil {
					return
				}
			}
			if t, err = c.WaitAttempt(ctx, id, attempt); err == nil && t.Attempt == attempt {
				return // it is over
			}
		}
		yield(LogRecord{}, err)
	}
}

// errEnough means that the reader of a log has stopped reading.
var errEnough = errors.New("enough")

// logReader reads one response.
type logReader struct {
	body    io.ReadCloser
	where   string
	attempt int
}

func (c *Client) openLog(ctx context.Context, id string, o LogOptions) (*logReader, error) {
	query := url.Values{}
	if o.Attempt > 0 {
		query.Set("attempt", strconv.Itoa(o.Attempt))
	}
	if o.Tail != nil {
		query.Set("tail", strconv.Itoa(*o.Tail))
	} else if o.Offset > 0 {
		query.Set("offset", strconv.FormatInt(o.Offset, 10))
	}
	if o.Follow {
		query.Set("follow", "true")
	}
	if o.Stream != "" {
		query.Set("stream", o.Stream)
	}
	if o.Text != "" {
		query.Set("q", o.Text)
	}
	resp, err := c.open(ctx, request{ //nolint:bodyclose // the reader closes it
		method: http.MethodGet, path: taskPath(id) + "/logs", query: query,
		header: http.Header{"Accept": {"application/x-ndjson"}},
	})
	if err != nil {
		return nil, err
	}
	attempt, err := strconv.Atoi(resp.Header.Get(AttemptHeader))
	if err != nil {
		attempt = o.Attempt
	}
	return &logReader{body: resp.Body, where: c.where, attempt: attempt}, nil
}

// maxLogLine is beyond the longest line of NDJSON: a record has at most 16 KiB,
// each byte of which may become six.
const maxLogLine = 256 << 10

// each hands on the records; errEnough when take wants no more.
func (r *logReader) each(take func(LogRecord) bool) error {
	lines := bufio.NewScanner(r.body)
	lines.Buffer(make([]byte, 0, 4<<10), maxLogLine)
	for lines.Scan() {
		var record LogRecord
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return &UnreachableError{Where: r.where, Err: fmt.Errorf("the log broke off: %w", err)}
		}
		if !take(record) {
			return errEnough
		}
	}
	if err := lines.Err(); err != nil {
		return &UnreachableError{Where: r.where, Err: fmt.Errorf("the log broke off: %w", err)}
	}
	return nil
}
