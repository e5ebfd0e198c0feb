package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"cloudai/master/internal/cluster"
)

// seat is a person at a terminal.
type seat struct {
	t      *testing.T
	keys   *os.File // what is typed goes in here
	screen *tape
	done   chan int
}

// sit opens a terminal and runs something on it.
func sit(t *testing.T, run func(tty *os.File) int) *seat {
	t.Helper()
	keys, tty := openTerminal(t)
	s := &seat{t: t, keys: keys, screen: newTape(keys), done: make(chan int, 1)}
	go func() {
		s.done <- run(tty)
		_ = tty.Close()
	}()
	t.Cleanup(func() {
		_ = keys.Close() // ends what still reads
		s.screen.copied.Wait()
	})
	return s
}

// openTerminal gives both ends of a terminal of 120 columns. pty leaves its
// files blocking; closing such a one does not end what reads from it.
func openTerminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	blocking, tty, err := pty.Open()
	must(t, err)
	must(t, pty.Setsize(blocking, &pty.Winsize{Rows: 30, Cols: 120}))
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	must(t, unix.SetNonblock(fd, true))
	must(t, blocking.Close())
	return os.NewFile(uintptr(fd), "terminal"), tty
}

func (s *seat) types(keys string) {
	s.t.Helper()
	_, err := s.keys.WriteString(keys)
	must(s.t, err)
}

// sees waits for the words.
func (s *seat) sees(words ...string) {
	s.t.Helper()
	for _, w := range words {
		s.screen.await(s.t, w)
	}
}

func (s *seat) leaves(code int) {
	s.t.Helper()
	select {
	case got := <-s.done:
		if got != code {
			s.t.Errorf("exit code %d, want %d", got, code)
		}
	case <-time.After(deadline):
		s.t.Fatal("it stays")
	}
}

// atPrompt is someone at the prompt of a process of its own.
func (w *world) atPrompt(t *testing.T) *seat {
	t.Helper()
	s := sit(t, func(tty *os.File) int {
		return Run(context.Background(), nil, Config{Getenv: w.getenv, Stdin: tty, Stdout: tty, Stderr: tty})
	})
	s.sees("help lists the commands", "master> ")
	return s
}

// interrupt is Ctrl-C while a command runs, when the terminal makes it a
// signal to the process.
func interrupt(t *testing.T) {
	t.Helper()
	must(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	up    = "\x1b[A"
)

func TestPrompt(t *testing.T) {
	w := populate(t)
	p := w.atPrompt(t)
	p.types("list-tasks failed\r")
	p.sees("task0001", "nightly", "master> ")
	p.types("task alpine --name 'two words' -e 'A=b c' -- sh -c 'echo \"x y\"'\r")
	p.sees("task0005", "master> ")
	r := w.core.Submits()[4]
	if r.Name != "two words" || r.Env["A"] != "b c" || strings.Join(r.Args, "|") != `sh|-c|echo "x y"` {
		t.Errorf("%+v", r)
	}
	p.types("nonsense\r")
	p.sees("there is no command", "master> ")
	p.types("task 'open\r")
	p.sees("lacks its other half", "master> ")
	p.types("list-tasks --limit 1\r") // no flag of an earlier line lives on
	p.sees("task0005", "master> ")
	p.types("list-tasks queued\r")
	p.sees("task0005", "task0004", "master> ")
	p.types("   \r")
	p.sees("master> ")
	p.types("half a line" + ctrlC)
	p.sees("master> ")
	p.types("help exit\r")
	p.sees("the master runs on", "Usage\r\n  exit", "master> ")
	p.types("explain nope\r")
	p.sees("no task's id", "master> ")
	p.types(ctrlD)
	p.leaves(1)
}

// Ctrl-C leaves a command that stays, not the prompt.
func TestPromptInterrupt(t *testing.T) {
	w := newWorld(t)
	id := w.submit(t, cluster.TaskRequest{})
	must(t, w.core.Run(id, "w1"))
	end := w.append(t, id, 1, "o:alive\n")
	p := w.atPrompt(t)
	for _, command := range []string{"logs -f task0001", "monitor task"} {
		p.types(command + "\r")
		p.sees("\nalive\r\n")
		interrupt(t)
		p.sees("task0001 runs on", "master> ")
	}
	w.workers()
	for command, words := range map[string]string{"status": "1 running", "stats w1": "task0001"} {
		p.types(command + "\r")
		p.sees(words, "Ctrl-C leaves")
		interrupt(t)
		p.sees("master> ")
	}
	p.types("logs -f task0001\r")
	p.sees("alive")
	_, err := w.keeper.Finish(t.Context(), cluster.AttemptRef{TaskID: id, Attempt: 1}, cluster.LogEnd{Length: end})
	must(t, err)
	p.sees("master> ")
	p.types("exit\r")
	p.leaves(0)
}

// Between two commands nothing is there to be interrupted, and the next one
// does not hear of it.
func TestInterruptBetweenCommands(t *testing.T) {
	var keys interrupts
	keys.interrupt()
	ran := false
	keys.during(t.Context(), func(ctx context.Context) {
		if ctx.Err() != nil {
			t.Error("an earlier interrupt ends a later command")
		}
		keys.interrupt()
		<-ctx.Done()
		ran = true
	})
	keys.interrupt()
	if !ran {
		t.Error("the command did not run")
	}
}

func TestPromptCompletion(t *testing.T) {
	w := populate(t)
	p := w.atPrompt(t)
	p.types("expl\ttask0001\r")
	p.sees("explain task0001", "nightly", "master> ")
	p.types("logs --tail 1 task0001\t\r")
	p.sees("half", "master> ")
	for range 6 { // so that the tenth begins like no other
		w.submit(t, cluster.TaskRequest{})
	}
	p.types("explain task001\t\r")
	p.sees("explain task0010 ", "task", "task0010", "master> ")
	p.types("cancel task0010 task0009\t\r")
	p.sees("task0010 cancelled", "task0009 cancelled", "master> ")
	p.types("stats w1\t--once\r")
	p.sees("stats w1 --once", "127.0.0.1:50052", "master> ")
	w.person(t, "ann")
	p.types("users ro\tann\tadm\t\r")
	p.sees("users role ann@example.org admin", "has the role admin", "master> ")
	p.types("task alpine --netw\tno\t--quiet -o y\t\r")
	p.sees("task alpine --network none --quiet -o yaml", "network: none", "master> ")
	p.types("list-tasks --wor\tw\t-o=js\t" + ctrlC) // nothing there is known
	p.sees("list-tasks --worker w-o=js", "master> ")
	p.types("list-tasks fai\t\r")
	p.sees("list-tasks failed", "task0001", "master> ")
	p.types("list-tasks --sear\t=nightly\r")
	p.sees("master> ")
	p.types("help moni\t\r")
	p.sees("Shows each state", "master> ")
	p.types("logs \t\t") // all that fit are shown
	p.sees("task0002", "task0009")
	p.types(ctrlC + "help files\r") // and Ctrl-C drops the line with them
	p.sees("have left files", "master> ")
	p.types("logs 'task\t" + ctrlC) // within quotes nothing happens
	p.sees("master> ")
	p.types(ctrlD)
	p.leaves(0)
}

func TestPromptHistory(t *testing.T) {
	w := populate(t)
	p := w.atPrompt(t)
	p.types("list-tasks failed\rlist-tasks queued\r")
	p.sees("task0001", "task0004", "master> ")
	p.types(" status --once\r") // a space keeps it out
	p.sees("cluster", "master> ")
	p.types(up + up + "\r")
	p.sees("list-tasks failed", "task0001", "master> ")
	p.types(ctrlD)
	p.leaves(0)

	p = w.atPrompt(t)
	p.types(up + up + "\r")
	p.sees("list-tasks queued", "task0004", "master> ")
	p.types("exit\r")
	p.leaves(0)
	info, err := os.Stat(filepath.Join(w.dir, historyName))
	must(t, err)
	data, err := os.ReadFile(filepath.Join(w.dir, historyName))
	must(t, err)
	if info.Mode().Perm() != 0o600 || string(data) != "list-tasks failed\nlist-tasks queued\nlist-tasks failed\nlist-tasks queued\nexit\n" {
		t.Errorf("%v %q", info.Mode(), data)
	}
}

func TestHistoryIsShortened(t *testing.T) {
	h := openHistory(t.TempDir())
	must(t, os.WriteFile(h.path, []byte(strings.Repeat("old\n", 2*historyLimit)), 0o600))
	h.add("new")
	lines := h.lines()
	if len(lines) != historyLimit || lines[historyLimit-1] != "new" || lines[0] != "old" {
		t.Errorf("%d lines", len(lines))
	}
	data, err := os.ReadFile(h.path)
	if n := strings.Count(string(data), "\n"); err != nil || n != historyLimit {
		t.Errorf("%d lines kept, %v", n, err)
	}
	if none := openHistory(filepath.Join(t.TempDir(), "nothing")); none.path != "" || none.lines() != nil {
		t.Error("a history where there is no folder")
	}
}

// atServingPrompt is someone at the prompt of the serving master.
func (w *world) atServingPrompt(ctx context.Context, t *testing.T) (p *seat, opened chan struct{}) {
	t.Helper()
	opened = make(chan struct{})
	return sit(t, func(tty *os.File) int {
		getenv := func(name string) string {
			return map[string]string{"CLOUDAI_SERVER": "http://127.0.0.1:1", "NO_COLOR": "1"}[name]
		}
		err := Prompt(ctx, Config{
			DataDir: w.dir, Getenv: getenv, Stdin: tty, Stdout: tty, Stderr: tty, Opened: func() { close(opened) },
		})
		if err != nil {
			t.Errorf("prompt: %v", err)
		}
		return 0
	}), opened
}

// The serving master's prompt asks before it ends.
func TestServingPrompt(t *testing.T) {
	w := populate(t)
	p, opened := w.atServingPrompt(t.Context(), t)
	<-opened
	p.sees("master> ")
	p.types("list-tasks failed\r") // of this very master, whatever the environment says
	p.sees("task0001", "master> ")
	p.types("exit\r")
	p.sees("Shut the master down?", "[y/N]")
	p.types("n\r")
	p.sees("master> ")
	p.types(ctrlD)
	p.sees("Shut the master down?", "[y/N]")
	p.types(ctrlC)
	p.sees("master> ")
	p.types(ctrlD)
	p.sees("Shut the master down?", "[y/N]")
	p.types("yes\r")
	p.leaves(0)

	p, _ = w.atServingPrompt(t.Context(), t)
	p.sees("master> ")
	p.types(ctrlD)
	p.sees("Shut the master down?", "[y/N]")
	p.types(ctrlD)
	p.leaves(0)
}

// It ends with its terminal and with its context.
func TestServingPromptEnds(t *testing.T) {
	w := populate(t)
	for _, line := range []string{"", "half a line", "exit\r"} { // the terminal goes away
		p, _ := w.atServingPrompt(t.Context(), t)
		p.sees("master> ")
		p.types(line)
		p.sees(strings.TrimSpace(line))
		must(t, p.keys.Close())
		p.leaves(0)
	}

	ctx, cancel := context.WithCancel(t.Context())
	p, _ := w.atServingPrompt(ctx, t)
	p.sees("master> ")
	p.types("half a li")
	p.sees("half a li")
	cancel()
	p.leaves(0)

	ctx, cancel = context.WithCancel(t.Context())
	p, _ = w.atServingPrompt(ctx, t)
	p.sees("master> ")
	p.types("status\r")
	p.sees("Ctrl-C leaves")
	cancel()
	p.leaves(0)
}

// Lines from a pipe run one by one; the last one's code counts.
func TestScript(t *testing.T) {
	w := populate(t)
	script := func(text string) (int, string) {
		path := filepath.Join(t.TempDir(), "script")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		in, err := os.Open(path)
		must(t, err)
		defer in.Close()
		out := newTape(nil)
		return Run(t.Context(), []string{"-o", "json"}, Config{Getenv: w.getenv, Stdin: in, Stdout: out, Stderr: out}), out.text
	}
	code, out := script("list-tasks failed\n\n# a comment\nexplain nope\nexplain task0001")
	if code != 0 || !strings.Contains(out, `"task0001"`) || !strings.Contains(out, "no task's id") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = script("explain task0001\nlogs\nexit\nexplain task0002\n"); code != 0 || strings.Contains(out, "task0002") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = script("explain nope\n"); code != 1 {
		t.Errorf("%d %s", code, out)
	}
	if code, out = script(""); code != 0 || out != "" {
		t.Errorf("%d %s", code, out)
	}
}
