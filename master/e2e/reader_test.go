//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// Readers that drop a running log again and again and return with their offset
// have each byte once, also over a master's crash, and also after the end.
func TestF19ReaderReturns(t *testing.T) {
	w, _ := newCluster(t, "2", "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	id := w.submit(t, w.small(`i=0
		while [ ! -e /output/gate ]; do
			i=$((i+1)); echo "out $i"; echo "err $i" >&2
			[ $((i % 20)) -ne 0 ] || sleep 0.01
		done`))
	w.becomes(t, id, "running")
	container := w.containerOf(t, id)
	socket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.Socket())
	}}
	defer socket.CloseIdleConnections()
	patient, err := client.New(client.Options{Socket: w.Socket(), Patience: 10 * time.Second})
	must(t, err)

	var group sync.WaitGroup
	got := make([]string, 4)
	returns := make([]int, len(got))
	for n := range got {
		read := readBytes(socket)
		if n%2 == 1 {
			read = readRecords(patient)
		}
		group.Go(func() {
			var err error
			if got[n], returns[n], err = stubborn(t.Context(), id, read); err != nil {
				t.Errorf("reader %d: %v", n, err)
			}
		})
	}
	w.logHas(t, id, "out 300\n")
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	sofar := strings.Count(w.log(t, id, "stdout"), "\n")
	w.logHas(t, id, fmt.Sprintf("out %d\n", sofar+300))
	w.open(t, container)
	w.succeeded(t, id)
	group.Wait()

	whole := w.log(t, id, "")
	if len(whole) < 8000 {
		t.Errorf("the log has %d bytes only", len(whole))
	}
	for n, text := range got {
		if returns[n] < 5 {
			t.Errorf("reader %d has returned %d times only", n, returns[n])
		}
		sameLines(t, text, whole)
	}
	// After the end.
	for range 20 {
		at := rand.IntN(len(whole) + 1)
		if text := w.read(t, fmt.Sprintf("/api/tasks/%s/logs?offset=%d", id, at)); text != whole[at:] {
			t.Errorf("from byte %d on there are %d bytes, not %d", at, len(text), len(whole)-at)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://master/api/tasks/%s/logs?offset=%d", id, len(whole)+1), nil)
	must(t, err)
	beyond, err := socket.RoundTrip(request)
	must(t, err)
	must(t, beyond.Body.Close())
	if beyond.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %s", beyond.Status)
	}
}

// piece reads a log from an offset on until it has had enough; next is where to
// go on, ended says that there is no more.
type piece func(ctx context.Context, id string, offset int64) (text string, next int64, ended bool, err error)

// errAway: the master did not answer, which is no fault of the reader's.
var errAway = errors.New("the master is away")

// stubborn reads a log in pieces to its end.
func stubborn(ctx context.Context, id string, read piece) (string, int, error) {
	var all strings.Builder
	offset, returns := int64(0), 0
	for {
		text, next, ended, err := read(ctx, id, offset)
		all.WriteString(text)
		offset = next
		switch {
		case errors.Is(err, errAway):
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return "", 0, ctx.Err()
			}
		case err != nil:
			return "", 0, err
		case ended:
			return all.String(), returns, nil
		default:
			returns++
		}
	}
}

// readBytes drops a text in the middle of anything.
func readBytes(by http.RoundTripper) piece {
	return func(ctx context.Context, id string, offset int64) (string, int64, bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://master/api/tasks/"+id+"/logs?follow=true&offset="+strconv.FormatInt(offset, 10), nil)
		if err != nil {
			return "", offset, false, err
		}
		answer, err := by.RoundTrip(request)
		if err != nil {
			return "", offset, false, fmt.Errorf("%w: %w", errAway, err)
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusServiceUnavailable {
			return "", offset, false, errAway
		}
		if answer.StatusCode != http.StatusOK {
			return "", offset, false, errors.New(answer.Status)
		}
		enough := 100 + rand.Int64N(2000)
		text, err := io.ReadAll(io.LimitReader(answer.Body, enough))
		next := offset + int64(len(text))
		if err != nil {
			return string(text), next, false, fmt.Errorf("%w: %w", errAway, err)
		}
		return string(text), next, int64(len(text)) < enough, nil
	}
}

// readRecords drops a log after some of its records.
func readRecords(by *client.Client) piece {
	return func(ctx context.Context, id string, offset int64) (string, int64, bool, error) {
		var text strings.Builder
		enough := 5 + rand.IntN(100)
		for record, err := range by.Logs(ctx, id, client.LogOptions{Offset: offset, Follow: true}) {
			if err != nil {
				return text.String(), offset, false, err
			}
			data, err := record.Bytes()
			if err != nil {
				return text.String(), offset, false, err
			}
			text.Write(data)
			offset = record.Next
			if enough--; enough == 0 {
				return text.String(), offset, false, nil
			}
		}
		return text.String(), offset, true, nil
	}
}
