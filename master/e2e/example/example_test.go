package example

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		want, got string
		fault     string // part of what is said; empty: they agree
	}{
		"same":                  {"a\nb", "a\nb\n", ""},
		"nothing":               {"", "", ""},
		"nothing, but":          {"", "a\n", "more is printed"},
		"another line":          {"a\nb\nc", "a\nx\nc\n", `line 12: "b"`},
		"a line too few":        {"a\nb", "a\n", `line 12: "b"`},
		"a line too many":       {"a", "a\nb\n", "line 11: more is printed"},
		"only a part":           {"b", "abc\n", `line 11: "b"`},
		"case":                  {"A", "a\n", `line 11: "A"`},
		"no pattern":            {"a.c", "abc\n", `line 11: "a.c"`},
		"any lines":             {"a\n...\nz", "a\nb\nc\nz\n", ""},
		"any lines are none":    {"a\n...\nz", "a\nz\n", ""},
		"any lines at the end":  {"a\n...", "a\nb\n", ""},
		"any lines, then not":   {"a\n...\nz", "a\nb\nc\n", `line 13: "z"`},
		"any lines, then more":  {"...\nz", "a\nz\nb\n", "line 12: more is printed"},
		"any lines twice":       {"...\nb\n...\nb\n...", "a\nb\nc\n", `line 14: "b"`},
		"any text":              {"id …, …", "id 4f2c, new\n", ""},
		"any text is none":      {"id …", "id \n", ""},
		"any text, one line":    {"a…b", "a\nb\n", `line 11: "a…b"`},
		"any text, then not":    {"…, done", "4f2c, failed\n", `line 11: "…, done"`},
		"spaces":                {"A  B", "A        B   \n", ""},
		"spaces are not none":   {"A B", "AB\n", `line 11: "A B"`},
		"an empty line between": {"a\n\nb", "a\n\nb\n", ""},
		"dots in a line":        {"a ...", "a b\n", `line 11: "a ..."`},
	} {
		err := Block{Checked: true, Want: test.want, wantAt: 11}.Check(test.got)
		switch {
		case test.fault == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%s: %v, want %s", name, err, test.fault)
		}
	}
	if err := (Block{}).Check("anything"); err != nil {
		t.Errorf("where nothing is shown: %v", err)
	}
}

const document = "# Title\n" + // line 1
	"\n```sh\necho one\n```\n\n" + // 3 to 5
	"```text\none\n```\n" + // 7 to 9
	"```console\n$ rm -rf /\n```\n" + // 10 to 12
	"words\n```sh\necho 'two\nthree'\necho four >&2\n```\n" // 13 to 18

func TestBlocks(t *testing.T) {
	blocks, err := Blocks(document)
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 4, Text: "echo one", Checked: true, Want: "one", wantAt: 8},
		{Line: 15, Text: "echo 'two\nthree'\necho four >&2"},
	}
	if len(blocks) != len(want) || blocks[0] != want[0] || blocks[1] != want[1] {
		t.Errorf("%+v", blocks)
	}
	for name, bad := range map[string]string{
		"no end":                    "```sh\necho\n",
		"within another":            "```sh\necho\n```text\n",
		"output of nothing":         "```text\none\n```\n",
		"output after words":        "```sh\necho\n```\nwords\n```text\n```\n",
		"output of what is not run": "```console\n$ ls\n```\n```text\n```\n",
		"set in":                    "- item\n  ```sh\n  echo\n  ```\n",
	} {
		if found, err := Blocks(bad); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

// The script prints where it should, and the shell names the document's lines.
func TestScript(t *testing.T) {
	blocks, err := Blocks(document + "```sh\nfalse\necho never\n```\n```sh\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "it's here")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run := func() error {
		path := filepath.Join(dir, "script")
		if err := os.WriteFile(path, []byte(Script(blocks, dir)), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.Command("bash", "-eu", path).Run()
	}
	if err := run(); err == nil {
		t.Error("the script went on after a failure")
	}
	for name, want := range map[string]string{"0.out": "one\n", "0.err": "", "1.out": "two\nthree\n", "1.err": "four\n", "2.out": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "3.out")); err == nil {
		t.Error("the example after the failed one has begun")
	}
	blocks[1].Text = "echo two\nno-such-program"
	_ = run() // fails as well
	if got, err := os.ReadFile(filepath.Join(dir, "1.err")); err != nil || !strings.Contains(string(got), "line 16:") {
		t.Errorf("what the shell says: %q, %v", got, err)
	}
}

func TestCalls(t *testing.T) {
	for line, want := range map[string]string{
		"the master makes it":               "",
		"make build":                        "make [build] []",
		"and `make help` lists all":         "make [help] []",
		"they make calls":                   "",
		"bin/master cli -o json list-tasks": "cli [list-tasks] [-o]",
		"master> task busybox --name hi --follow -- sh -c 'x; y --no'": "cli [task busybox] [--name --follow]",
		"id=$(bin/master cli task any --quiet)":                        "cli [task any] [--quiet]",
		"$ bin/master cli users add a@b --role=admin | cat":            "cli [users add] [--role]",
		"`bin/master cli join` or `bin/worker --stop-tasks`":           "cli [join] []; worker [] [--stop-tasks]",
		"FOO=1 ./runWorker.sh 2 --worker-cpu 1   # --not":              "runWorker.sh [] [--worker-cpu]",
		"make build    # bin/master and bin/worker":                    "make [build] []",
		"./runMaster.sh":       "runMaster.sh [] []",
		"(`bin/master serve`)": "master [serve] []",
	} {
		var got []string
		for _, c := range Calls(line) {
			got = append(got, fmt.Sprint(c.Program, " ", c.Words, " ", c.Flags))
		}
		if got := strings.Join(got, "; "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
