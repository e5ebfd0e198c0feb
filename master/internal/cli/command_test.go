package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// populate makes a task of each kind.
func populate(t *testing.T) *world {
	w := newWorld(t)
	w.workers()
	failed := w.submit(t, cluster.TaskRequest{
		Name: "nightly", Args: []string{"sh", "-c", "exit 7"}, Memory: ptr(int64(64)), Timeout: "1h0m0s", Labels: map[string]string{"team": "blue"},
	})
	w.log(t, failed, 1, "o:one\n", "e:bad\n", "o:two\n", "o:half")
	w.ends(t, failed, ptr(7), cluster.FailureExit, "exited with code 7\x1b[2J\nand so on")
	running := w.submit(t, cluster.TaskRequest{Command: "sleep 60 | cat", GPU: ptr(1)})
	must(t, w.core.Run(running, "w1"))
	twice := w.submit(t, cluster.TaskRequest{Name: "twice 漢字"})
	must(t, w.core.Run(twice, "w2"))
	must(t, w.core.Requeue(twice))
	w.ends(t, twice, ptr(0), "", "")
	w.publish(t, twice, "answer", "42\n", "dir/log.txt", strings.Repeat("x", 3000))
	waiting := w.submit(t, cluster.TaskRequest{Name: "big", CPU: ptr(4096.0), Constraints: map[string]string{"zone": "a"}})
	must(t, w.core.Edit(waiting, func(v *coordinator.TaskView, _ time.Time) error {
		v.Waiting = &coordinator.Waiting{
			Reason: "unschedulable: cpu: asked 4096, largest w1 has 4", QueuePosition: 1, Suggestion: "ask for less, or add a larger worker",
			Workers: []coordinator.WorkerReason{{WorkerID: "w1", Reason: "cpu: asked 4096, has 4"}, {WorkerID: "w2", Reason: "lost"}},
		}
		return nil
	}))
	return w
}

func TestGolden(t *testing.T) {
	w := populate(t)
	for name, line := range map[string]string{
		"list":           "list-tasks",
		"list.json":      "list-tasks -o json",
		"list.yaml":      "-o yaml list-tasks failed",
		"list-limit":     "list-tasks --limit 2",
		"list-none":      "list-tasks cancelled",
		"list-label":     "list-tasks --label team=blue",
		"list-bad":       "list-tasks finished",
		"logs":           "logs task0001",
		"logs-times":     "logs task0001 --timestamps --tail 2",
		"logs.json":      "logs task0001 -o json",
		"logs.yaml":      "logs task0001 -o yaml",
		"monitor":        "monitor task0001",
		"explain-failed": "explain task0001",
		"explain-runs":   "explain task0002",
		"explain-twice":  "explain task0003",
		"explain-waits":  "explain task0004",
		"explain.json":   "explain task0004 -o json",
		"workers":        "workers",
		"workers.yaml":   "workers -o yaml",
		"files":          "files",
		"files-none":     "files bob",
		"files.json":     "files ann -o json",
		"task-files":     "task-files task0003",
		"task-files-not": "task-files task0002",
		"task-files-del": "task-files task0003 --delete",
		"stats":          "stats w1",
		"stats.json":     "stats w1 -o json",
		"stats-lost":     "stats w2",
		"join":           "join",
		"join.yaml":      "join -o yaml",
		"status":         "status",
		"status.json":    "status -o json",
		"queue":          "queue",
		"export":         "export",
		"export-task":    "export task0003",
		"export-bad":     "export --since lately",
		"export-status":  "export --status failed --since 2020-01-01 --until 2030-01-01",
		"prune":          "prune --tasks 0s --dry-run",
		"prune.json":     "prune --dry-run -o json",
		"prune-bad":      "prune --bytes lots",
		"prune-refused":  "prune --tasks old --logs -1h",
		"help":           "help",
		"help-task":      "task --help",
		"help-users":     "help users",
		"help-token":     "help token",
		"help-users-add": "users add --help",
		"ambiguous":      "logs task",
		"none":           "explain nope",
		"typo":           "lgos",
		"nonsense":       "frobnicate",
		"tangled":        "task alpine --cpu 1 echo hi -n",
		"unknown-flag":   "task alpine --folow",
		"bad-flags":      "task alpine --mem lots --storage 5 --cpu NaN --timeout 5 -e NOVALUE --label =x",
		"refused":        "task alpine --cpu 1e300 --priority 500 --label a=b",
		"missing":        "task",
		"too-many":       "workers all",
		"output":         "workers -o xml",
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, w.shown(w.cli(t, strings.Fields(line)...)))
		})
	}
	golden(t, "explain-color", w.onTerminal(t, true, "explain", "task0001").stdout)
	golden(t, "list-terminal", w.onTerminal(t, false, "list-tasks").stdout)
	golden(t, "stats-color", w.onTerminal(t, true, "stats", "w1", "--once").stdout)
}

// Each JSON or YAML output is one document, and says the same in both.
func TestDocuments(t *testing.T) {
	w := populate(t)
	for _, line := range []string{
		"list-tasks", "explain task0003", "logs task0001", "logs task0002", "workers", "files", "task-files task0003", "status", "queue",
		"stats w1", "users", "token", "token list", "join", "drain w1", "undrain w1", "doctor",
		"task alpine", "cancel task0004", "download task0003 " + filepath.Join(w.dir, "down"),
	} {
		var fromJSON, fromYAML, more any
		got := w.cli(t, append(strings.Fields(line), "-o", "json")...)
		decoder := json.NewDecoder(strings.NewReader(got.stdout))
		if err := decoder.Decode(&fromJSON); err != nil || got.code != 0 && line != "doctor" {
			t.Errorf("%s: %v in %+v", line, err, got)
			continue
		}
		if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the document comes %v", line, more)
		}
		if strings.HasPrefix(line, "task ") || strings.HasPrefix(line, "cancel") {
			continue // not the same twice
		}
		got = w.cli(t, append(strings.Fields(line), "-o", "yaml")...)
		if err := yaml.Unmarshal([]byte(got.stdout), &fromYAML); err != nil {
			t.Errorf("%s: %v in %s", line, err, got.stdout)
			continue
		}
		a, _ := json.Marshal(fromJSON)
		b, _ := json.Marshal(fromYAML)
		if string(a) != string(b) {
			t.Errorf("%s: JSON %s, YAML %s", line, a, b)
		}
	}
}

// The flags of task reach the master as what they mean.
func TestTaskRequest(t *testing.T) {
	w := newWorld(t)
	got := w.cli(t, "task", "alpine:3", "--name", "n", "--cpu", "0.5", "--mem", "1.5g", "--storage", "100k", "--gpu", "2",
		"-e", "A=b=c", "-e", "EMPTY=", "--env=MULTI=x\ny", "--timeout", "90s", "--priority", "7", "--retries", "3",
		"--label", "team=blue", "--constraint", "zone=a", "--network", "none", "--quiet", "--", "sh", "-c", "echo --hi")
	if got.code != 0 || got.stdout != "task0001\n" || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	r := w.core.Submits()[0]
	spec, err := r.Spec()
	must(t, err)
	if r.Image != "alpine:3" || r.Name != "n" || *r.CPU != 0.5 || *r.Memory != 1536 || *r.Storage != 1 || *r.GPU != 2 ||
		strings.Join(r.Args, "|") != "sh|-c|echo --hi" || r.Env["A"] != "b=c" || r.Env["EMPTY"] != "" || r.Env["MULTI"] != "x\ny" ||
		len(r.Env) != 3 || spec.Timeout != 90*time.Second || *r.Priority != 7 || *r.MaxRetries != 3 || r.Labels["team"] != "blue" ||
		r.Constraints["zone"] != "a" || r.Network != "none" || r.Command != "" {
		t.Errorf("%+v", r)
	}
	got = w.cli(t, "--user", "bob", "task", "alpine", "--command", "a | b")
	if got.code != 0 || got.stdout != "task0002\n" || !strings.Contains(got.stderr, "logs -f task0002") {
		t.Errorf("%+v", got)
	}
	r = w.core.Submits()[1]
	if r.Command != "a | b" || r.CPU != nil || r.Priority != nil || r.Env != nil {
		t.Errorf("%+v", r)
	}
	if got := w.cli(t, "task", "alpine", "--command", "a", "--", "b"); got.code != 2 || !strings.Contains(got.stderr, "not both") {
		t.Errorf("%+v", got)
	}
	w.workers()
	if got := w.cli(t, "dispatch", "w2", "alpine", "--", "true"); got.code != 0 || w.core.Submits()[2].TargetWorker != "w2" {
		t.Errorf("%+v", got)
	}
}

func TestCancel(t *testing.T) {
	w := populate(t)
	got := w.cli(t, "cancel", "task0002", "task0004", "task0001")
	if got.code != 1 || got.stdout != "task0002 is being stopped\ntask0004 cancelled\n" || !strings.Contains(got.stderr, "already") {
		t.Errorf("%+v", got)
	}
	if got := w.cli(t, "cancel"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}

func TestDownload(t *testing.T) {
	w := populate(t)
	dir := filepath.Join(t.TempDir(), "here")
	got := w.cli(t, "download", "task0003", dir)
	content, err := os.ReadFile(filepath.Join(dir, "answer"))
	if got.code != 0 || err != nil || string(content) != "42\n" || !strings.Contains(got.stdout, "dir/log.txt") {
		t.Errorf("%+v %v", got, err)
	}
	t.Chdir(t.TempDir())
	w.cli(t, "download", "task0003")
	if _, err := os.Stat("task0003/dir/log.txt"); err != nil {
		t.Error(err)
	}
	if got := w.cli(t, "download", "task0001"); got.code != 0 || !strings.Contains(got.stderr, "no files") {
		t.Errorf("%+v", got)
	}
}

func TestNobodyHome(t *testing.T) {
	var w world
	w.dir = t.TempDir()
	got := w.cli(t, "workers")
	if got.code != 1 || !strings.Contains(got.stderr, filepath.Join(w.dir, "master.sock")) || !strings.Contains(got.stderr, "./runMaster.sh") {
		t.Errorf("%+v", got)
	}
	got = w.cli(t, "--server", "http://127.0.0.1:1", "workers")
	if got.code != 1 || !strings.Contains(got.stderr, "http://127.0.0.1:1") {
		t.Errorf("%+v", got)
	}
	for _, line := range []string{
		"--server 127.0.0.1:80 workers", "--server http://x --data-dir y workers", "--server http://x --user ann workers",
	} {
		if got := w.cli(t, strings.Fields(line)...); got.code != 2 || got.stderr == "" {
			t.Errorf("%s: %+v", line, got)
		}
	}
}
