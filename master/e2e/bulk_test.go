//go:build engine

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
)

// The parts of a log that is as bad as logs get.
const (
	textLine  = "a line of the log, as programs write them by the million"
	giantLine = 100_000_000 // bytes
	lastWords = "the end\n"
	logTail   = 64 << 10 // is kept beyond the limit
)

// bulk is a log of text, one giant line, and binary bytes.
type bulk struct {
	text   int64  // bytes of text, whole lines
	block  []byte // of binary bytes
	blocks int
	limit  int64
}

func newBulk(rng *rand.Rand, total, limit int64) bulk {
	b := bulk{block: make([]byte, 256<<10), limit: limit}
	for i := range b.block {
		b.block[i] = byte(rng.Uint32())
		if b.block[i] == '\n' && rng.IntN(8) > 0 { // short lines cost the engine most
			b.block[i] = 0
		}
	}
	lines := total / 8 / int64(len(textLine)+1)
	b.text = lines * int64(len(textLine)+1)
	b.blocks = int((total - b.text - giantLine) / int64(len(b.block)))
	return b
}

func (b bulk) size() int64 {
	return b.text + giantLine + 1 + int64(b.blocks*len(b.block)+len(lastWords))
}

// task prints the log as fast as it goes.
func (b bulk) task(w *world) client.TaskRequest {
	r := w.small(fmt.Sprintf(`yes '%s' | head -c %d
		head -c %d /dev/zero | tr '\0' x; echo
		i=0; while [ $i -lt %d ]; do cat /block; i=$((i+1)); done
		echo the end`, textLine, b.text, giantLine, b.blocks))
	r.CPURequired, r.MemoryRequired = ptr(2.0), ptr[int64](256)
	r.Inputs = []client.Input{{Path: "/block", Content: base64.StdEncoding.EncodeToString(b.block), Encoding: "base64"}}
	return r
}

// reader is the whole log as the task prints it.
func (b bulk) reader() io.Reader {
	parts := []io.Reader{
		io.LimitReader(&repeated{of: []byte(textLine + "\n")}, b.text),
		io.LimitReader(&repeated{of: []byte("x")}, giantLine), strings.NewReader("\n"),
		io.LimitReader(&repeated{of: b.block}, int64(b.blocks*len(b.block))), strings.NewReader(lastWords),
	}
	return io.MultiReader(parts...)
}

// repeated is the same bytes again and again.
type repeated struct {
	of []byte
	at int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		some := copy(p[n:], r.of[r.at:])
		n += some
		r.at = (r.at + some) % len(r.of)
	}
	return n, nil
}

// A log of any size, with a line of 100 MB and bytes that are no text in it,
// takes neither master nor worker more memory than a small one. What goes
// beyond the limit is dropped, and the log says how much; the rest is exact.
func TestF18SoakLog(t *testing.T) {
	limit := int64(amount(1024, 192)) << 20
	w := newWorld(t, byDefault, fmt.Sprintf("LOG_LIMIT=%d", limit))
	worker := w.dockerWorker(t, "w1", "WORKER_CPU=4")
	w.succeeded(t, w.submit(t, w.small("seq 20000")))
	master, sender := idle(t, "master", w.Master), idle(t, "worker", worker.Process)

	b := newBulk(rand.New(rand.NewPCG(1, 2)), limit+limit/3, limit)
	began := time.Now()
	id := w.submit(t, b.task(w))
	slowest := w.watchLog(t, id)
	took := time.Since(began)
	w.succeeded(t, id)
	w.exact(t, id, b)
	master.look(t, w.Master)
	sender.look(t, worker.Process)

	during := fmt.Sprintf("a log of %v", mebibytes(b.size()))
	measured.row(during+", printed to stored", fmt.Sprintf("%.0f MiB/s", float64(b.size())/(1<<20)/took.Seconds()), "")
	master.judge(t, during)
	sender.judge(t, during)
	atMost(t, "slowest page, tail or task during "+during, milliseconds(slowest), 3*time.Second)
}

// watchLog does what a dashboard does, twice a second until the task has ended,
// and says how long the slowest round took.
func (w *world) watchLog(t *testing.T, id string) (slowest time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		began := time.Now()
		task, err := w.API().Task(ctx, id)
		if err == nil {
			_, err = w.API().TaskPage(ctx, client.TaskQuery{}, 50, "")
		}
		must(t, errors.Join(err, w.lastLines(ctx, id)))
		slowest = max(slowest, time.Since(began))
		if task.Terminal() {
			return slowest
		}
		<-tick.C
	}
}

// lastLines reads what fits on a screen of the end of a log. Its records are
// small, whatever is in it.
func (w *world) lastLines(ctx context.Context, id string) error {
	const record, lines = 16 << 10, 20
	n := 0
	for r, err := range w.API().Logs(ctx, id, client.LogOptions{Tail: ptr(lines)}) {
		if err != nil {
			return err
		}
		if line, err := r.Bytes(); err != nil || len(line) > record+1 {
			return fmt.Errorf("a record of %d bytes: %w", len(line), err)
		}
		if n++; n == lines { // the giant one has thousands of records
			break
		}
	}
	return nil
}

// exact compares the log with what the task has printed.
func (w *world) exact(t *testing.T, id string, b bulk) {
	t.Helper()
	body := w.stream(t, "/api/tasks/"+id+"/logs")
	defer body.Close()
	got, want := bufio.NewReaderSize(body, 1<<20), b.reader()
	same(t, "the head", got, want, b.limit)
	marker, err := got.ReadString('\n')
	if marker == "\n" { // the line before was cut
		marker, err = got.ReadString('\n')
	}
	dropped := b.size() - b.limit - logTail
	if says := fmt.Sprintf("[cloudai] %d bytes of stdout were dropped at the log's limit\n", dropped); err != nil || marker != says {
		t.Fatalf("after the head comes %.200q, %v; not %q", marker, err, says)
	}
	_, err = io.CopyN(io.Discard, want, dropped)
	must(t, err)
	same(t, "the tail", got, want, logTail)
	if rest, err := io.ReadAll(got); err != nil || len(rest) > 0 {
		t.Errorf("after the tail come %d bytes, %v", len(rest), err)
	}
}

// same compares the next size bytes of two readers.
func same(t *testing.T, what string, got, want io.Reader, size int64) {
	t.Helper()
	one, other := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < size; {
		n := min(size-at, int64(len(one)))
		_, err := io.ReadFull(got, one[:n])
		must(t, err)
		_, err = io.ReadFull(want, other[:n])
		must(t, err)
		if !bytes.Equal(one[:n], other[:n]) {
			t.Fatalf("%s differs within %d bytes from %d on", what, n, at)
		}
		at += n
	}
}
