//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudai/master/e2e/example"
)

// walkLimit is for all examples of a document together.
const walkLimit = 4 * time.Minute

// Every sh block of docs/EXAMPLE.md does what the page says, in the order of
// the page, for somebody who has a master and one worker.
func TestDocsExamples(t *testing.T) {
	t.Parallel()
	const page = "docs/EXAMPLE.md"
	blocks := blocksOf(t, page)
	w, _ := newCluster(t, "4")
	out := t.TempDir()
	begun, code := w.walk(t, blocks, out)
	printed := func(i int, which string) string {
		text, err := os.ReadFile(filepath.Join(out, strconv.Itoa(i)+which))
		must(t, err)
		return string(text)
	}
	for i, b := range blocks[:begun] {
		stdout := printed(i, ".out")
		tell := func(what any) {
			t.Errorf("%s: the example of line %d: %v\n%s\n--- it printed\n%s--- and as errors\n%s",
				page, b.Line, what, b.Text, stdout, printed(i, ".err"))
		}
		if i == begun-1 && code != 0 {
			tell(fmt.Sprintf("failed with code %d", code))
		} else if err := b.Check(stdout); err != nil {
			tell(err)
		}
	}
	if begun < len(blocks) {
		t.Errorf("%s: %d of %d examples were executed, up to line %d", page, begun, len(blocks), blocks[max(begun-1, 0)].Line)
	}
}

// blocksOf are a page's examples. Each must be a script by itself, so that one
// without its end does not take the next one with it.
func blocksOf(t *testing.T, page string) []example.Block {
	t.Helper()
	blocks, err := example.Blocks(readPage(t, page))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%s: %d examples, %v", page, len(blocks), err)
	}
	for _, b := range blocks {
		cmd := exec.Command("bash", "-n")
		cmd.Stdin = strings.NewReader(b.Text)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: the example of line %d is not complete: %s", page, b.Line, said)
		}
	}
	return blocks
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	must(t, err)
	return string(text)
}

// leash ends the shell and all that it has started when nothing holds the other
// end of descriptor 3 any more, in whatever way this process has ended.
const leash = `{ read -r _ <&3 || kill -KILL 0; } & exec 3<&-; `

// walk executes the examples in one shell, in a folder that looks like the
// repository after a build and a start of the master. It gives the number of
// those that were begun and the shell's exit code.
func (w *world) walk(t *testing.T, blocks []example.Block, out string) (begun, code int) {
	t.Helper()
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; run: make setup", err)
		}
	}
	here := t.TempDir()
	bin, err := filepath.Abs(binaries())
	must(t, err)
	must(t, os.Symlink(bin, filepath.Join(here, "bin")))
	must(t, os.Mkdir(filepath.Join(here, "data"), 0o755))
	must(t, os.Symlink(w.MasterDir(), filepath.Join(here, "data", "master")))
	script := filepath.Join(out, "examples")
	must(t, os.WriteFile(script, []byte(example.Script(blocks, out)), 0o644))
	said, err := os.Create(filepath.Join(out, "shell"))
	must(t, err)
	defer said.Close()
	hold, end, err := os.Pipe()
	must(t, err)
	defer end.Close()

	ctx, cancel := context.WithTimeout(t.Context(), walkLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", leash+`. "$0"`, script)
	_, env := w.Command()
	cmd.Env = append(slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "MASTER_DATA_DIR=") }),
		"SERVER=http://"+w.HTTP(), "SOCK="+w.Socket(), "MASTER_ADDR="+w.GRPC(), "IMAGE="+w.image)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = here, said, said, []*os.File{hold}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	must(t, hold.Close())
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("the shell: %v", err)
	}
	if text, err := os.ReadFile(said.Name()); err != nil || len(text) > 0 {
		t.Errorf("the shell says %q, %v", text, err)
	}
	for begun < len(blocks) {
		if _, err := os.Stat(filepath.Join(out, strconv.Itoa(begun)+".out")); err != nil {
			break
		}
		begun++
	}
	return begun, cmd.ProcessState.ExitCode()
}

// README.md and the page for beginners name only what there is: commands of the
// command line and their flags, flags of the programs, targets of make, files
// of the repository. The README stays short.
func TestDocsNames(t *testing.T) {
	const readme, most = "README.md", 150
	if n := strings.Count(readPage(t, readme), "\n"); n > most {
		t.Errorf("%s has %d lines, more than %d", readme, n, most)
	}
	m := &manual{helps: map[string]string{}}
	for _, page := range []string{readme, "docs/GETTING_STARTED.md"} {
		calls := 0
		for i, line := range strings.Split(readPage(t, page), "\n") {
			for _, c := range example.Calls(line) {
				calls++
				if err := m.check(c); err != nil {
					t.Errorf("%s, line %d: %v", page, i+1, err)
				}
			}
		}
		if calls < 10 {
			t.Errorf("%s: only %d calls of programs were found in it", page, calls)
		}
	}
	for _, wrong := range []string{"bin/master cli nothing", "master> task busybox --nothing", "./runWorker.sh --nothing", "make nothing", "bin/master nothing", "bin/master fsck --nothing", "master> users nothing"} {
		if calls := example.Calls(wrong); len(calls) != 1 || m.check(calls[0]) == nil {
			t.Errorf("%q passes as %v", wrong, calls)
		}
	}
}

// manual is what the programs say of themselves.
type manual struct {
	helps map[string]string // by command
}

// help is what a program prints when it is asked for help.
func (m *manual) help(program string, args ...string) (string, error) {
	key := strings.Join(append([]string{program}, args...), " ")
	if text, ok := m.helps[key]; ok {
		return text, nil
	}
	if strings.HasPrefix(program, "bin/") {
		program = filepath.Join(binaries(), filepath.Base(program))
	}
	if abs, err := filepath.Abs(program); err == nil && strings.Contains(program, "/") {
		program = abs
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = root
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	m.helps[key] = string(text)
	return string(text), nil
}

// check is nil for a call of something that there is.
func (m *manual) check(c example.Call) (err error) {
	var text string
	switch c.Program {
	case example.Command:
		text, err = m.helpOf(c.Words)
	case "make":
		text, err = m.help("make", "--no-print-directory", "help")
		if err == nil && !strings.Contains(text, "make "+strings.Join(c.Words, " ")+" ") {
			err = fmt.Errorf("make has no target %v", c.Words)
		}
	case "runMaster.sh":
		text, err = m.help("bin/master", "--help")
	case "runWorker.sh":
		text, err = m.help("bin/worker", "--help")
	default:
		text, err = m.help("bin/"+c.Program, "--help")
		if err == nil && len(c.Words) > 0 {
			if !strings.Contains(text, "\n"+c.Program+" "+c.Words[0]+" ") {
				return fmt.Errorf("%s has no command %s", c.Program, c.Words[0])
			}
			text, err = m.help("bin/"+c.Program, c.Words[0], "--help")
		}
	}
	if err != nil {
		return err
	}
	for _, flag := range c.Flags {
		if !regexp.MustCompile(`(?m)^ +(-., )?`+flag+`\b|^ +`+flag+`, `).MatchString(text) && flag != "--help" {
			return fmt.Errorf("%s has no flag %s", strings.Join(append([]string{c.Program}, c.Words...), " "), flag)
		}
	}
	return nil
}

// helpOf is the help about the command that the words begin with.
func (m *manual) helpOf(words []string) (string, error) {
	args := []string{"cli", "help"}
	text, err := m.help("bin/master", args...)
	for _, word := range words {
		if err != nil || !strings.Contains(text, "\nCommands\n") {
			break
		}
		if !strings.Contains(text, "\n  "+word+" ") {
			if strings.Contains(text, "[name]") { // it need not be a command
				break
			}
			return "", fmt.Errorf("%v has no command %q", args[2:], word)
		}
		args = append(args, word)
		text, err = m.help("bin/master", args...)
	}
	return text, err
}
