//go:build engine

package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"cloudai/master/client"
)

// What one task can meet, all at once on one worker.
func TestTask(t *testing.T) {
	w, _ := newCluster(t, "8")
	for name, test := range map[string]func(*testing.T, *world){
		"Success":            testSuccess,
		"Output":             testOutput,
		"ExitCode":           testExitCode,
		"F17Timeout":         testTimeout,
		"F15CancelIgnored":   testCancelIgnored,
		"F16CancelQueued":    testCancelQueued,
		"Limits":             testLimits,
		"OwnEntrypoint":      testArgs,
		"NoSuchProgram":      testNoSuchProgram,
		"NoShell":            testNoShell,
		"LogLive":            testLogLive,
		"LogOfAShortLife":    testShortLog,
		"UserMayWriteOutput": testOtherUser,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// A task without a log and without output goes through all ten states too.
func testSuccess(t *testing.T, w *world) {
	id := w.submit(t, w.small("true"))
	task := w.succeeded(t, id)
	if task.StartedAt == nil || task.FinishedAt == nil || task.FinishedAt.Before(*task.StartedAt) {
		t.Errorf("started %v, finished %v", task.StartedAt, task.FinishedAt)
	}
	if log := w.log(t, id, ""); log != "" {
		t.Errorf("a silent task has the log %q", log)
	}
}

func testExitCode(t *testing.T, w *world) {
	id := w.submit(t, w.small("echo out; echo err >&2; exit 7"))
	task := w.failed(t, id, "exit")
	if task.ExitCode == nil || *task.ExitCode != 7 {
		t.Error(describe(task))
	}
	for stream, want := range map[string]string{"stdout": "out\n", "stderr": "err\n"} {
		if got := w.log(t, id, stream); got != want {
			t.Errorf("%s is %q", stream, got)
		}
	}
}

func testTimeout(t *testing.T, w *world) {
	r := w.small("echo begun; echo half >/output/part; sleep 600")
	r.Timeout = "2s"
	id := w.submit(t, r)
	task := w.failed(t, id, "timeout")
	if ran := task.FinishedAt.Sub(*task.StartedAt); ran < 2*time.Second || ran > 20*time.Second {
		t.Errorf("it ran for %s", ran)
	}
	if log := w.log(t, id, ""); log != "begun\n" {
		t.Errorf("the log is %q", log)
	}
	if got := w.output(t, id, "part"); got != "half\n" {
		t.Errorf("the partial output is %q", got)
	}
}

func testCancelIgnored(t *testing.T, w *world) {
	r := w.small("trap '' TERM; echo ready; while :; do sleep 0.1; done")
	r.GracePeriod = "2s"
	id := w.submit(t, r)
	w.becomes(t, id, "running")
	w.logHas(t, id, "ready\n")
	asked := time.Now()
	for range 2 { // the second is the same as the first
		task, err := w.API().Cancel(t.Context(), id)
		must(t, err)
		if !task.CancelRequested && !task.Terminal() {
			t.Errorf("after the cancel: %s", describe(task))
		}
	}
	task := w.ended(t, id)
	took := time.Since(asked)
	if task.Status != "cancelled" {
		t.Fatal(describe(task))
	}
	if took < 2*time.Second || took > 20*time.Second {
		t.Errorf("it was cancelled after %s with a grace of 2s", took)
	}
	if log := w.log(t, id, ""); log != "ready\n" {
		t.Errorf("the log is %q", log)
	}
}

func testCancelQueued(t *testing.T, w *world) {
	r := w.small("true")
	r.CPURequired = ptr(5000.0)
	id := w.submit(t, r)
	_, err := w.API().Cancel(t.Context(), id)
	must(t, err)
	if task := w.ended(t, id); task.Status != "cancelled" || len(task.Attempts) != 0 {
		t.Error(describe(task), task.Attempts)
	}
	if _, err := w.API().Cancel(t.Context(), id); !client.IsConflict(err) {
		t.Errorf("the cancel of a finished task answers %v", err)
	}
}

func testOutput(t *testing.T, w *world) {
	id := w.submit(t, w.small("mkdir -p /output/a/b; seq 1 100000 >/output/a/b/numbers; echo top >/output/top; ln -s /etc/passwd /output/link"))
	task := w.succeeded(t, id)
	files, err := w.API().TaskFiles(t.Context(), id)
	must(t, err)
	if len(files.Files) != 2 {
		t.Fatalf("the files are %+v", files.Files)
	}
	if len(files.Skipped) != 1 || files.Skipped[0].Path != "link" {
		t.Errorf("skipped is %+v", files.Skipped)
	}
	for _, f := range files.Files {
		content := w.output(t, id, f.Path)
		sum := sha256.Sum256([]byte(content))
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(content)) {
			t.Errorf("%+v, but its %d bytes have %x", f, len(content), sum)
		}
		stored, err := os.ReadFile(filepath.Join(w.FilesDir(), task.UserID, id, f.Path))
		if err != nil || string(stored) != content {
			t.Errorf("on the disk: %d bytes, %v", len(stored), err)
		}
	}
	if numbers := w.output(t, id, "a/b/numbers"); !strings.HasSuffix(numbers, "\n99999\n100000\n") || len(numbers) != 588895 {
		t.Errorf("numbers has %d bytes", len(numbers))
	}
	if task.Usage == nil || task.Usage.OutputBytes != 588895+4 {
		t.Errorf("usage: %+v", task.Usage)
	}
}

// The image's own entrypoint gets the arguments.
func testArgs(t *testing.T, w *world) {
	r := w.small("")
	r.Args = []string{"sh", "-c", `printf '%s|' "$@"; pwd; echo "$GREETING"`, "sh", "two words", "", "*"}
	r.Env, r.Workdir = map[string]string{"GREETING": "good day"}, "/tmp"
	id := w.submit(t, r)
	w.succeeded(t, id)
	if log := w.log(t, id, ""); log != "two words||*|/tmp\ngood day\n" {
		t.Errorf("the log is %q", log)
	}
}

// As in a shell, a program that is not there is exit code 127, and the log
// says which.
func testNoSuchProgram(t *testing.T, w *world) {
	r := w.small("")
	r.Args = []string{"/no/such/program"}
	id := w.submit(t, r)
	task := w.failed(t, id, "exit")
	if log := w.log(t, id, "stderr"); task.ExitCode == nil || *task.ExitCode != 127 || !strings.Contains(log, "/no/such/program") {
		t.Errorf("%s; the log is %q", describe(task), log)
	}
}

// A command needs a shell; without one there is advice.
func testNoShell(t *testing.T, w *world) {
	name := fmt.Sprintf("cloudai-test/no-shell:%s", w.ClusterID())
	var empty bytes.Buffer
	files := tar.NewWriter(&empty)
	must(t, files.WriteHeader(&tar.Header{Name: "nothing", Mode: 0o644}))
	must(t, files.Close())
	done, err := w.engine.ImageImport(t.Context(), image.ImportSource{Source: &empty, SourceName: "-"}, name, image.ImportOptions{})
	must(t, err)
	_, err = io.Copy(io.Discard, done)
	must(t, errors.Join(err, done.Close()))
	w.removeImageLater(t, name)
	r := w.small("echo hi")
	r.DockerImage = name
	if task := w.failed(t, w.submit(t, r), "runtime"); !strings.Contains(task.Message, "args") || len(task.Attempts) != 1 {
		t.Errorf("no advice, or hopeless attempts: %q, %d", task.Message, len(task.Attempts))
	}
}

func testOtherUser(t *testing.T, w *world) {
	id := w.submit(t, w.small("mkdir /output/d; chmod 700 /output/d; chown 1234 /output/d; stat -c %a /output"))
	w.succeeded(t, id)
	if log := w.log(t, id, ""); log != "1777\n" {
		t.Errorf("the log is %q", log)
	}
}
