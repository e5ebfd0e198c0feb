package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestBatch(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "tasks")
	write := func(text string) {
		t.Helper()
		must(t, os.WriteFile(file, []byte(text), 0o600))
	}
	write(`{"docker_image":"alpine","name":"a"}` + "\n" + `{"docker_image":"","cpu_required":-1}` + "\n\n" + `{"docker_image":"busybox"}`)
	got := w.cli(t, "batch", file)
	if got.code != 1 || got.stdout != "task0001\ntask0002\n" || !strings.Contains(got.stderr, "task 2: docker_image: ") ||
		!strings.Contains(got.stderr, "task 2: cpu_required: ") || !strings.Contains(got.stderr, "2 submitted, 1 refused") {
		t.Errorf("%+v", got)
	}
	if got := w.cli(t, "batch", file, "--atomic"); got.code != 2 || got.stdout != "" || len(w.core.Submits()) != 2 {
		t.Errorf("atomic: %+v, %d tasks", got, len(w.core.Submits()))
	}
	write(`{"docker_image":"alpine"}`)
	if got := w.cli(t, "batch", file, "--quiet"); got.code != 0 || got.stdout != "" {
		t.Errorf("quiet: %+v", got)
	}
	if got := w.cli(t, "batch", file, "-o", "json"); !strings.Contains(got.stdout, `"accepted": 1`) {
		t.Errorf("json: %+v", got)
	}
	for text, want := range map[string]string{
		"": "has no tasks", `{"docker_image":"a"}{`: "task 2: ", `{"docker_image":"a","colour":"red"}`: `unknown field "colour"`, `[1]`: "task 1: ",
		strings.Repeat(`{"docker_image":"a"}`, maxTasks+1): "more than 10000",
	} {
		write(text)
		if got := w.cli(t, "batch", file); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
	if got := w.cli(t, "batch", file+".none"); got.code != 2 || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("%+v", got)
	}
}

func TestCancelByFilter(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.submit(t, cluster.TaskRequest{Name: fmt.Sprintf("n%d", n), Labels: map[string]string{"odd": fmt.Sprint(n%2 == 1)}})
	}
	must(t, w.core.Run("task0001", "w1"))
	for _, tt := range []struct {
		line, want string
		code       int
	}{
		{"cancel", "cancel needs a task, or flags", 2},
		{"cancel --dry-run", "cancel needs a task, or flags", 2},
		{"cancel task0001 --all", "not both", 2},
		{"cancel --label odd", "is not name=value", 2},
		{"cancel --status done", "filter.status", 2},
		{"cancel --all --dry-run", "would cancel 3 tasks\n", 0},
		{"cancel --label odd=true", "1 task cancelled, 0 being stopped\n", 0},
		{"cancel --name n --status queued,running", "1 task cancelled, 1 being stopped\n", 0},
		{"cancel --owner nobody -o json", `"matched": 0`, 0},
	} {
		got := w.cli(t, strings.Fields(tt.line)...)
		if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.want) {
			t.Errorf("%s: %+v", tt.line, got)
		}
	}
}

// A shell's script asks the program, which knows the commands, the flags and
// the ids.
func TestShellCompletion(t *testing.T) {
	w := newWorld(t)
	w.submit(t, cluster.TaskRequest{})
	for shell, want := range map[string]string{"bash": "__start_master", "zsh": "#compdef master", "fish": "complete -c master"} {
		if got := w.cli(t, "completion", shell); got.code != 0 || !strings.Contains(got.stdout, want) || !strings.Contains(got.stdout, "__complete") {
			t.Errorf("%s: %d %s", shell, got.code, got.stderr)
		}
	}
	if got := w.cli(t, "completion", "tcsh"); got.code != 2 {
		t.Errorf("%+v", got)
	}
	for line, want := range map[string]string{
		"c": "cli\n:4\n", "cli mon": "monitor\n:4\n", "cli logs task": "task0001\n:4\n", "cli list-tasks --lim": "--limit\n:4\n",
		"serve --x": ":0\n", "cli completion ": "bash\nzsh\nfish\n:4\n",
	} {
		var out bytes.Buffer
		code := Complete(strings.Split(line, " "), Config{Getenv: w.getenv, Stdout: &out, Stderr: &out})
		if code != 0 || out.String() != want {
			t.Errorf("%s: %d %q, want %q", line, code, &out, want)
		}
	}
	if got := w.cli(t, "__complete", "help", ""); !strings.Contains(got.stdout, "audit\n") || strings.Contains(got.stdout, "__complete") {
		t.Errorf("what help can be asked about: %q", got.stdout)
	}
}
