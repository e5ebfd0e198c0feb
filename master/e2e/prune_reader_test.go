//go:build engine

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"cloudai/master/client"
)

// What is being read is not pruned, however slow the reader is: it comes to the
// end of its log, its file, its archive, and after that all of it goes.
func TestPruneKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	w, _ := newCluster(t, "4")
	const size = 12 << 20 // more than fits between the disk and a reader that does not read
	// Random bytes, since others would be few once they are compressed.
	read := w.submit(t, w.small(fmt.Sprintf("head -c %d /dev/urandom | tee /output/random | base64", size)))
	w.succeeded(t, read)
	log := w.log(t, read, "")
	everything := client.PruneRequest{Tasks: ptr("0s"), Logs: ptr("0s"), Files: ptr("0s"), Bytes: ptr[int64](0)}
	for _, path := range []string{
		"/api/tasks/" + read + "/logs", "/api/files/" + read + "/content/random",
		"/api/files/" + read + "/download", "/api/files/" + read + "/download?format=zip",
	} {
		unread := w.submit(t, w.small("true"))
		w.succeeded(t, unread)
		whole := readAll(t, w.stream(t, path))
		body := w.stream(t, path)
		begun := bufio.NewReader(body)
		if _, err := begun.ReadByte(); err != nil {
			t.Fatal(err)
		}
		must(t, begun.UnreadByte())
		report, err := w.API().Prune(t.Context(), everything)
		must(t, err)
		if _, err := w.API().Task(t.Context(), unread); report.Kept == 0 || report.Tasks == 0 || !client.IsNotFound(err) {
			t.Errorf("%s is read: pruned %+v, and what nobody reads: %v", path, report, err)
		}
		if task := w.task(t, read); task.LogsDeleted || task.FilesDeleted {
			t.Errorf("%s is read: logs deleted %v, files %v", path, task.LogsDeleted, task.FilesDeleted)
		}
		n, err := io.Copy(io.Discard, begun)
		if err := errors.Join(err, body.Close()); err != nil || n != whole {
			t.Errorf("%s: a slow reader got %d of %d bytes, %v", path, n, whole, err)
		}
	}
	if again := w.log(t, read, ""); again != log || len(log) < size {
		t.Errorf("afterwards the log has %d bytes, and had %d", len(again), len(log))
	}
	await(t, verdict, func(ctx context.Context) error { // the server learns a little later that they have gone
		if _, err := w.API().Prune(ctx, everything); err != nil {
			return err
		}
		if _, err := w.API().Task(ctx, read); !client.IsNotFound(err) {
			return fmt.Errorf("once nobody reads: %w", err)
		}
		return nil
	})
	must(t, w.onDisk(keeping{}))
}

func readAll(t *testing.T, body io.ReadCloser) int64 {
	t.Helper()
	n, err := io.Copy(io.Discard, body)
	must(t, errors.Join(err, body.Close()))
	return n
}
