//go:build engine

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/freeport"
)

// spoken is what a command printed and how it ended.
type spoken struct {
	stdout, stderr string
	code           int
}

// cli runs a one-shot command as a person in a shell would.
func (w *world) cli(t *testing.T, args ...string) spoken {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), verdict)
	defer cancel()
	command, env := w.Command(args...)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, t.TempDir(), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", args, err)
	}
	return spoken{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// The command line, on a real worker.
func TestCommandLine(t *testing.T) {
	w, _ := newCluster(t, "8")
	for name, test := range map[string]func(*testing.T, *world){
		"Follow":    testFollow,
		"ExitCodes": testExitCodes,
		"JSON":      testJSON,
		"AfterTask": testAfterTask,
		"Usage":     testUsage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

func testFollow(t *testing.T, w *world) {
	got := w.cli(t, "task", w.image, "--follow", "--", "sh", "-c", "echo hi; exit 3")
	if got.stdout != "hi\n" || got.code != 3 {
		t.Errorf("%+v", got)
	}
	got = w.cli(t, "task", w.image, "--follow", "--", "sh", "-c", "echo out; echo oops >&2")
	if got.stdout != "out\n" || !strings.Contains(got.stderr, "oops\n") || got.code != 0 || strings.Contains(got.stderr, "download") {
		t.Errorf("%+v", got)
	}
	got = w.cli(t, "task", w.image, "--follow", "--", "sh", "-c", "echo 42 >/output/answer")
	if got.stdout != "" || !strings.Contains(got.stderr, "it has left 3 B of files: bin/master cli download ") || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func testExitCodes(t *testing.T, w *world) {
	for _, test := range []struct {
		args []string
		code int
	}{
		{[]string{"--wait", "--", "true"}, 0},
		{[]string{"--wait", "--", "sh", "-c", "exit 9"}, 9},
		{[]string{"--wait", "--timeout", "1s", "--", "sleep", "60"}, 124},
		{[]string{"--wait", "--", "/no/such/program"}, 127},
	} {
		if got := w.cli(t, append([]string{"task", w.image, "--network", "none", "--mem", "32m"}, test.args...)...); got.code != test.code {
			t.Errorf("%v: %+v", test.args, got)
		}
	}
	nobody, err := freeport.Address()
	must(t, err)
	if got := w.cli(t, "task", nobody+"/no/image", "--wait"); got.code != 125 {
		t.Errorf("without a container: %+v", got)
	}
	// Someone else's cancel ends a wait with 130.
	id := w.submit(t, w.small("sleep 600"))
	w.becomes(t, id, "running")
	if got := w.cli(t, "cancel", id[:8]); got.code != 0 {
		t.Errorf("cancel: %+v", got)
	}
	if task := w.ended(t, id); task.Status != "cancelled" {
		t.Error(describe(task))
	}
	if got := w.cli(t, "monitor", id); got.code != 130 {
		t.Errorf("monitor of a cancelled task: %+v", got)
	}
}

func testJSON(t *testing.T, w *world) {
	id := w.submit(t, w.small("true"))
	w.succeeded(t, id)
	got := w.cli(t, "-o", "json", "list-tasks")
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	var document any
	if err := decoder.Decode(&document); err != nil || got.code != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	var more any
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		t.Errorf("after the document comes %v, %v", more, err)
	}
	if !strings.Contains(got.stdout, id) {
		t.Errorf("task %s is not in %s", id, got.stdout)
	}
}

// What people look at once a task is over.
func testAfterTask(t *testing.T, w *world) {
	submitted := w.cli(t, "task", w.image, "--name", "after", "--cpu", "0.5", "--mem", "64m", "-e", "WORD=good", "--",
		"sh", "-c", `echo "$WORD morning"; mkdir /output/dir; echo result >/output/dir/file`)
	id := strings.TrimSpace(submitted.stdout)
	if submitted.code != 0 || len(strings.Fields(submitted.stdout)) != 1 {
		t.Fatalf("task prints only the id: %+v", submitted)
	}
	task := w.succeeded(t, id)
	if task.Name != "after" || task.CPURequired != 0.5 || task.MemoryRequired != 64 || task.Env["WORD"] != "good" {
		t.Errorf("the task is %+v", task)
	}
	if got := w.cli(t, "logs", id[:10]); got.stdout != "good morning\n" || got.code != 0 {
		t.Errorf("logs: %+v", got)
	}
	if got := w.cli(t, "explain", id); got.code != 0 || !containsAll(got.stdout, lifecycle) {
		t.Errorf("explain: %+v", got)
	}
	if got := w.cli(t, "files"); got.code != 0 || !strings.Contains(got.stdout, id) {
		t.Errorf("files: %+v", got)
	}
	if got := w.cli(t, "task-files", id); got.code != 0 || !strings.Contains(got.stdout, "dir/file") {
		t.Errorf("task-files: %+v", got)
	}
	dir := filepath.Join(t.TempDir(), "down")
	got := w.cli(t, "download", id, dir)
	content, err := os.ReadFile(filepath.Join(dir, "dir", "file"))
	if err != nil { // a folder per task would do as well
		content, err = os.ReadFile(filepath.Join(dir, id, "dir", "file"))
	}
	if got.code != 0 || err != nil || string(content) != "result\n" {
		t.Errorf("download: %+v, %v", got, err)
	}
	if got := w.cli(t, "workers"); got.code != 0 || !containsAll(got.stdout, []string{"w1", "active"}) {
		t.Errorf("workers: %+v", got)
	}
	var list struct{ Items []client.Task }
	if got := w.cli(t, "-o", "json", "list-tasks", "succeeded"); json.Unmarshal([]byte(got.stdout), &list) != nil || len(list.Items) == 0 {
		var items []client.Task
		if json.Unmarshal([]byte(got.stdout), &items) != nil || len(items) == 0 {
			t.Errorf("list-tasks succeeded: %+v", got)
		}
	}
}

func testUsage(t *testing.T, w *world) {
	for _, args := range [][]string{
		{"task"},
		{"task", w.image, "echo", "hi"},
		{"task", w.image, "--mem", "lots"},
		{"no-such-command"},
		{"logs"},
	} {
		if got := w.cli(t, args...); got.code != 2 || got.stdout != "" || got.stderr == "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := w.cli(t, "task", w.image, "echo", "hi"); !strings.Contains(got.stderr, "-- echo hi") {
		t.Errorf("it does not say how to write it: %q", got.stderr)
	}
	if got := w.cli(t, "logs", "zzzzzzzzzzzzzzzz"); got.code != 1 || got.stderr == "" {
		t.Errorf("logs of no task: %+v", got)
	}
}

// Without a master there is a clear answer, soon.
func TestCommandLineAlone(t *testing.T) {
	w := newWorld(t)
	must(t, w.Master.Kill())
	began := time.Now()
	got := w.cli(t, "list-tasks")
	if got.code != 1 || !strings.Contains(got.stderr, w.Socket()) {
		t.Errorf("%+v", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
