//go:build engine

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// The prompt at a real terminal: that of the serving master, that of bin/master
// cli, and that of one whose master does not answer.
func TestPromptAtATerminal(t *testing.T) {
	t.Parallel()
	p, tty := openTerminal(t)
	w := newWorldAt(t, func(r *rig.Rig) { r.Seat(tty) }, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=5s")
	must(t, tty.Close())
	w.fakeWorker(t, "w1", "WORKER_CPU=64", "WORKER_MEMORY=64g")
	all := w.commands(t)
	person, err := w.API().CreateUser(t.Context(), client.UserRequest{Name: "Ann", Email: "ann@example.org", Password: "correct horse"})
	must(t, err)
	t.Run("people", func(t *testing.T) {
		t.Run("Serving", func(t *testing.T) {
			t.Parallel()
			p.during(t)
			w.tryPrompt(t, p, all, person)
			testShutdownQuestion(p, w)
		})
		t.Run("Cli", func(t *testing.T) {
			t.Parallel()
			p, process := w.sitDown(t, w.MasterDir(), t.TempDir())
			w.tryPrompt(t, p, all, person)
			p.types("exit\r")
			must(t, process.Await(10*time.Second))
			p.cooked("after the prompt")
		})
		t.Run("NoAnswer", func(t *testing.T) {
			t.Parallel()
			testNoAnswer(t, w, all)
		})
	})
	if !w.Master.Running() {
		t.Fatalf("the master has ended, with %d", w.Master.ExitCode())
	}
	_, err = w.API().CancelTasks(t.Context(), client.CancelRequest{Filter: &client.CancelFilter{Status: []string{"queued", "assigned", "running"}}})
	must(t, err)
}

// program is a command as the program's own help has it.
type program struct {
	name    string // users add
	help    string
	example string // the first one
}

// commands are all that there are, by the program's own account.
func (w *world) commands(t *testing.T) []program {
	t.Helper()
	var all []program
	for _, name := range w.namesBelow(t) {
		all = append(all, w.program(t, name))
		for _, below := range w.namesBelow(t, name) {
			all = append(all, w.program(t, name, below))
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d commands: %v", len(all), all)
	}
	return all
}

func (w *world) namesBelow(t *testing.T, path ...string) []string {
	t.Helper()
	said := w.cli(t, slices.Concat([]string{"__complete", "help"}, path, []string{""})...)
	var names []string
	for line := range strings.Lines(said.stdout) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, ":") {
			names = append(names, line)
		}
	}
	return names
}

func (w *world) program(t *testing.T, path ...string) program {
	t.Helper()
	said := w.cli(t, append([]string{"help"}, path...)...)
	_, rest, _ := strings.Cut(said.stdout, "\nExamples\n")
	example, _, _ := strings.Cut(rest, "\n")
	example, found := strings.CutPrefix(strings.TrimSpace(example), "bin/master cli ")
	if said.code != 0 || !found {
		t.Fatalf("help %v has no example: %+v", path, said)
	}
	return program{strings.Join(path, " "), said.stdout, example}
}

// sitDown opens bin/master cli at a terminal of its own, in a folder.
func (w *world) sitDown(t *testing.T, dataDir, cwd string) (*terminal, *rig.Process) {
	t.Helper()
	p, tty := openTerminal(t)
	command, env := w.Command("--data-dir", dataDir)
	process, err := rig.StartAt(tty, "cli", command, env, cwd, os.DevNull)
	must(t, err)
	t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	})
	p.cooked("at the start")
	must(t, tty.Close())
	p.until("the prompt", func(s screen) bool { return s.atPrompt("") })
	return p, process
}

// tryPrompt is what must hold at either prompt.
func (w *world) tryPrompt(t *testing.T, p *terminal, all []program, person client.User) {
	p.until("the prompt", func(s screen) bool { return s.atPrompt("") })
	w.tryStaying(t, p, all)
	tryQuestions(p, person)
	tryResize(p)
}

// staying are the commands that stay until Ctrl-C, by name and by the flag that
// has them stay or, with --once, not: how each is typed, and what it shows then.
// RUNNING is the id of a task that runs, OVER that of one that is over.
var staying = map[string]struct{ line, shows string }{
	"status --once":     {"status", "Ctrl-C leaves"},
	"stats --once":      {"stats w1", "Ctrl-C leaves"},
	"monitor":           {"monitor RUNNING", "running"},
	"logs --follow":     {"logs -f RUNNING", "line 1"},
	"task --follow":     {"task busybox -e FAKE_SLEEP=1h -e FAKE_LOG_LINES=100000 --follow", "line 1"},
	"task --wait":       {"task busybox -e FAKE_SLEEP=1h --wait", "\n"},
	"dispatch --follow": {"dispatch w1 busybox -e FAKE_SLEEP=1h -e FAKE_LOG_LINES=100000 --follow", "line 1"},
	"dispatch --wait":   {"dispatch w1 busybox -e FAKE_SLEEP=1h --wait", "\n"},
	"retry --follow":    {"retry OVER --follow", "line 1"},
	"retry --wait":      {"retry OVER --wait", "\n"},
}

// tryStaying leaves each command that stays by Ctrl-C.
func (w *world) tryStaying(t *testing.T, p *terminal, all []program) {
	long := client.TaskRequest{DockerImage: "busybox", Env: map[string]string{"FAKE_SLEEP": "1h", "FAKE_LOG_LINES": "100000"}}
	running, over := w.submit(t, long), w.submit(t, long)
	w.becomes(t, running, "running")
	_, err := w.API().Cancel(t.Context(), over)
	must(t, err)
	w.ended(t, over)
	ids := strings.NewReplacer("RUNNING", running, "OVER", over)
	tried := 0
	for _, c := range all {
		ways := []string{"monitor"}
		if c.name != "monitor" {
			ways = nil
			for _, flag := range []string{"--once", "--follow", "--wait"} {
				if strings.Contains(c.help, flag+" ") {
					ways = append(ways, c.name+" "+flag)
				}
			}
		}
		for _, way := range ways {
			s, known := staying[way]
			if !known {
				t.Errorf("%s stays until Ctrl-C and is not tried; say in staying how it is typed", way)
				continue
			}
			tried++
			p.fresh()
			p.types(ids.Replace(s.line) + "\r")
			p.until(s.shows, func(now screen) bool {
				return now.shows(s.shows) || s.shows == "\n" && len(now.lines) > 1 && now.lines[1] != ""
			})
			p.cooked(way)
			p.types(ctrlC)
			p.works()
			if strings.Contains(s.line, "busybox") || strings.Contains(s.line, running) {
				p.sees("runs on")
			}
		}
	}
	if tried != len(staying) {
		t.Errorf("%d of %d ways to stay are there", tried, len(staying))
	}
	if task := w.task(t, running); task.Status != "running" || task.CancelRequested {
		t.Errorf("Ctrl-C reached the task: %s", describe(task))
	}
}

// tryQuestions leaves each question by Ctrl-C; nothing is done then.
func tryQuestions(p *terminal, person client.User) {
	for line, asks := range map[string]string{
		"cancel --status running":         "cancel ",
		"prune --tasks 1h":                "remove it?",
		"users remove " + person.Email:    "Remove " + person.Email,
		"users reset " + person.Email:     "new password:",
		"users add somebody@example.org ": "new password:",
	} {
		p.fresh()
		p.types(line + "\r")
		p.sees(asks)
		p.until("a question", func(s screen) bool {
			return strings.HasSuffix(s.last(), "[y/N]") || strings.HasSuffix(s.last(), "new password:")
		})
		p.types(ctrlC)
		p.works()
	}
}

// testShutdownQuestion: Ctrl-C at the last question keeps the master.
func testShutdownQuestion(p *terminal, w *world) {
	for _, way := range []string{"exit\r", ctrlD} {
		p.fresh()
		p.types(way)
		p.until("the question", func(s screen) bool { return strings.HasSuffix(s.last(), "[y/N]") })
		p.types(ctrlC)
		p.works()
	}
	if err := w.API().Ready(p.t.Context()); err != nil {
		p.t.Error(err)
	}
}

// tryResize makes the terminal wider and narrower, lower and higher.
func tryResize(p *terminal) {
	// A live picture is drawn anew: whole, once, and within the screen.
	p.fresh()
	p.types("status\r")
	p.sees("Ctrl-C leaves")
	for _, size := range [][2]int{{40, rows}, {40, 7}, {columns, 7}, {columns, rows}, {23, 5}, {columns, rows}} {
		p.resize(size[0], size[1])
		p.until(fmt.Sprintf("status on %d by %d", size[0], size[1]), func(s screen) bool {
			text := strings.Join(s.lines, "\n")
			whole := len(s.lines) > 2 && strings.HasPrefix(s.lines[0], "cluster") && s.last() == "Ctrl-C leaves" &&
				strings.Count(text, "cluster") == 1 && strings.Count(text, "Ctrl-C leaves") == 1
			if size[1] == rows {
				return whole && strings.Contains(text, "\ngpu")
			}
			return whole && strings.Contains(text, "lines more")
		})
	}
	p.types(ctrlC)
	p.works()

	// A line that is typed stays whole, and so does what is run.
	p.fresh()
	const line = "explain that-is-no-task-at-all-and-has-a-rather-long-name-for-one"
	typed := ""
	for i, size := range []int{columns, 40, columns, 25, columns} {
		p.resize(size, rows)
		part := line[i*len(line)/5 : (i+1)*len(line)/5]
		typed += part
		p.types(part)
		p.until(fmt.Sprintf("%q on %d columns", typed, size), func(s screen) bool {
			text := "master> " + typed
			broken := slices.Collect(slices.Chunk([]byte(text), size))
			if len(s.lines) < len(broken) {
				return false
			}
			var shown strings.Builder
			for _, l := range s.lines[len(s.lines)-len(broken):] {
				shown.WriteString(l)
			}
			return shown.String() == text
		})
	}
	p.types("\r")
	p.sees("no task's id begins with " + line[len("explain "):])
	p.works()
}

// silent are the commands that call nobody.
var silent = []string{"help", "completion", "exit"}

// testNoAnswer types every command, as its help has it, while the master takes
// calls and does not answer. Ctrl-C leaves each.
func testNoAnswer(t *testing.T, w *world, all []program) {
	hole := w.newHole(t)
	cwd := t.TempDir()
	must(t, os.WriteFile(filepath.Join(cwd, "tasks.ndjson"), []byte(`{"docker_image": "busybox"}`), 0o644))
	p, process := w.sitDown(t, hole.dir, cwd)
	leave := func(line string) {
		select {
		case <-hole.called:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s does not call the master; if that is right, it belongs to silent", line)
		}
		p.cooked(line)
		p.types(ctrlC)
		p.works()
	}
	for _, c := range all {
		if slices.Contains(silent, c.name) {
			continue
		}
		p.fresh()
		p.types(c.example + "\r")
		if c.name == "users add" {
			p.sees("new password:")
			p.types("correct horse\r")
			p.sees("the same again:")
			p.types("correct horse\r")
		}
		leave(c.example)
	}
	// A download in the middle.
	id := w.submit(t, client.TaskRequest{DockerImage: "busybox", Env: map[string]string{"FAKE_OUTPUT_FILES": "3", "FAKE_OUTPUT_BYTES": "300"}})
	w.succeeded(t, id)
	hole.passes.Store(true)
	p.fresh()
	p.types("download " + id + " down\r")
	leave("download")
	p.types("exit\r")
	must(t, process.Await(10*time.Second))
	p.cooked("after the prompt")
}

// hole is a master that takes calls and answers none; with passes it asks the
// real one, but begins only to hand over what is in a file.
type hole struct {
	dir    string        // its data folder
	called chan struct{} // one for each call that gets no answer
	passes atomic.Bool
}

func (w *world) newHole(t *testing.T) *hole {
	t.Helper()
	h := &hole{dir: filepath.Join(w.Dir(), "hole"), called: make(chan struct{}, 1000)}
	real := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "master" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.Socket())
		}},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		content := strings.Contains(r.URL.Path, "/content/")
		if h.passes.Load() && !content {
			real.ServeHTTP(out, r)
			return
		}
		if content {
			_, _ = out.Write([]byte("beg"))
			_ = http.NewResponseController(out).Flush()
		}
		h.called <- struct{}{}
		<-r.Context().Done()
	})}
	must(t, os.Mkdir(h.dir, 0o755))
	l, err := net.Listen("unix", client.SocketIn(h.dir))
	must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		must(t, server.Close())
		<-served
	})
	return h
}
