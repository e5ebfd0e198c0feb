//go:build engine

package e2e

import (
	"errors"
	"strings"
	"testing"

	"cloudai/master/client"
)

// leaving is a task of the fake executor that leaves so many files with so many
// bytes in all, and exits with a code.
func leaving(files, bytes, exit string) client.TaskRequest {
	return client.TaskRequest{DockerImage: "fake", Env: map[string]string{
		"FAKE_OUTPUT_FILES": files, "FAKE_OUTPUT_BYTES": bytes, "FAKE_EXIT": exit,
	}}
}

// A user's files stay within the quota: what fits is kept, what does not is
// named, and when nothing fits any more new tasks are refused until something is
// deleted. A master that was killed knows it as well.
func TestQuotaOfFiles(t *testing.T) {
	t.Parallel()
	const quota = 1 << 20
	w := newWorld(t, "FILES_QUOTA=1m", "HEARTBEAT_INTERVAL=300ms", "HEARTBEAT_TIMEOUT=5s")
	w.fakeWorker(t, "w1")
	uses := func(want int64) {
		t.Helper()
		me, err := w.API().Me(t.Context())
		must(t, err)
		if me.Files == nil || me.Files.Used != want || me.Files.Quota == nil || *me.Files.Quota != quota {
			t.Fatalf("files: %+v, want %d bytes used", me.Files, want)
		}
	}
	w.succeeded(t, w.submit(t, leaving("1", "600000", "0")))
	uses(600_000)

	// 300,000 bytes each: one fits.
	b := w.failed(t, w.submit(t, leaving("3", "900000", "0")), "upload")
	files, err := w.API().TaskFiles(t.Context(), b.TaskID)
	must(t, err)
	if len(files.Files) != 1 || files.Files[0].Path != "out-00001.txt" || len(files.Skipped) != 2 {
		t.Fatalf("%+v", files)
	}
	for _, text := range []string{b.Message, files.Skipped[0].Reason, files.Skipped[1].Reason} {
		if !strings.Contains(text, "(900000 bytes) of a quota of 1 MiB") {
			t.Errorf("use and quota are not named: %q", text)
		}
	}
	uses(900_000)

	// Of two at once, for one of which there is room, one is kept; the other's
	// exit code stays its verdict.
	batch, err := w.API().SubmitBatch(t.Context(), client.BatchRequest{Tasks: []client.TaskRequest{leaving("1", "100000", "3"), leaving("1", "100000", "3")}})
	must(t, err)
	kept := 0
	for _, item := range batch.Items {
		task := w.failed(t, item.TaskID, "exit")
		files, err := w.API().TaskFiles(t.Context(), task.TaskID)
		must(t, err)
		if kept += len(files.Files); len(files.Files)+len(files.Skipped) != 1 {
			t.Errorf("%+v", files)
		}
	}
	if kept != 1 {
		t.Errorf("%d of two are kept", kept)
	}
	uses(1_000_000)

	w.succeeded(t, w.submit(t, leaving("1", "48576", "0"))) // to the last byte
	uses(quota)
	full := func() {
		t.Helper()
		_, err := w.API().Submit(t.Context(), leaving("1", "1", "0"))
		_, berr := w.API().SubmitBatch(t.Context(), client.BatchRequest{Tasks: []client.TaskRequest{leaving("0", "0", "0")}})
		_, rerr := w.API().Retry(t.Context(), b.TaskID)
		for _, err := range []error{err, berr, rerr} {
			var problem *client.Error
			if !errors.As(err, &problem) || problem.Status != 507 || !strings.Contains(problem.Detail, "1 MiB of a quota of 1 MiB") ||
				!strings.Contains(problem.Detail, "DELETE /api/files/") {
				t.Fatalf("with a full quota: %v", err)
			}
		}
	}
	full()
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	uses(quota)
	full()

	must(t, w.API().DeleteFiles(t.Context(), b.TaskID))
	uses(quota - 300_000)
	w.succeeded(t, w.submit(t, leaving("2", "300000", "0")))
	uses(quota)
}
