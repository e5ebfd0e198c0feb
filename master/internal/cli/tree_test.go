package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cloudai/master/internal/coordinator"
)

// contracted are the commands that the contract names.
var contracted = strings.Fields(`help status workers stats list-tasks task dispatch monitor logs explain cancel retry queue
	register unregister drain undrain files task-files download users token join doctor exit`)

// commands walks the tree.
func commands(cmd *cobra.Command, visit func(*cobra.Command)) {
	for _, below := range cmd.Commands() {
		visit(below)
		commands(below, visit)
	}
}

func newTree(t *testing.T, w *world) *cobra.Command {
	t.Helper()
	c := &command{shell: newShell(Config{Getenv: w.getenv})}
	t.Cleanup(c.close)
	return c.tree()
}

func TestAllCommandsAreThere(t *testing.T) {
	w := newWorld(t)
	help := w.cli(t, "help").stdout
	for _, name := range contracted {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("help does not name %s", name)
		}
		got := w.cli(t, "help", name)
		if got.code != 0 || !strings.Contains(got.stdout, "Usage\n  bin/master cli "+name) {
			t.Errorf("help %s: %+v", name, got)
		}
	}
}

// Each command says what it is and shows how it is written; what it shows is
// right.
func TestHelp(t *testing.T) {
	w := newWorld(t)
	commands(newTree(t, w), func(cmd *cobra.Command) {
		path := strings.Join(pathOf(cmd), " ")
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || cmd.Args == nil || cmd.Example == "" {
			t.Errorf("%s: lacks its summary, its arguments or an example", path)
		}
		if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
			t.Errorf("%s: lacks completion", path)
		}
		for line := range strings.Lines(cmd.Example) {
			words, err := split(line)
			must(t, err)
			if at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "<") }); at >= 0 {
				words = words[:at] // for the shell
			}
			found, args, err := newTree(t, w).Find(words)
			if err != nil || !strings.HasPrefix(strings.Join(pathOf(found), " "), path) {
				t.Errorf("%s: the example %q is about %v, %v", path, line, pathOf(found), err)
				continue
			}
			err = found.ParseFlags(args)
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: the example %q: %v", path, line, err)
			}
		}
		got := w.cli(t, append(pathOf(cmd), "--help")...)
		if got.code != 0 || !strings.Contains(got.stdout, "\nExamples\n") {
			t.Errorf("%s --help: %+v", path, got)
		}
	})
}

// placed is a command with something for each argument that it needs.
func placed(cmd *cobra.Command) []string {
	words := pathOf(cmd)
	for word := range strings.FieldsSeq(cmd.Use) {
		if strings.HasPrefix(word, "<") {
			words = append(words, "x")
		}
	}
	return words
}

// badValues are wrong for any flag of a type.
var badValues = map[string][]string{
	"int":         {"", "NaN", "-1", "1.5", "99999999999999999999", "0x", " 1"},
	"bool":        {"maybe", ""},
	"string":      {""},
	"stringArray": {""},
}

// worseValues are wrong for certain flags.
var worseValues = map[string][]string{
	"cpu":     {"-1", "NaN", "Inf", "1e999", "1e300", "0"},
	"mem":     {"-1m", "NaN", "12", "9e9g", "99999999999999p", "1m"},
	"storage": {"-1m", "NaN", "12", "99999999999999p"},
	"timeout": {"-5s", "NaN", "12", "99999999999h", "0s"},
	"expires": {"-5s", "NaN", "12", "99999999999h", "0s"},
	"env":     {"=x", "x"},
	"label":   {"=x", "x"},
	"network": {"host"},
	"scope":   {"read,,submit", "write"},
	"role":    {"boss"},
	"output":  {"xml"},
	"server":  {"127.0.0.1:80", "ftp://x", "http://"},
	"failure": {"bad luck"},
}

// Whatever is wrong with a flag's value, the answer names the flag.
func TestBadFlags(t *testing.T) {
	w := newWorld(t)
	x := coordinator.WorkerView{}
	x.ID = "x"
	w.core.SetWorkers(x)
	try := func(cmd *cobra.Command, f *pflag.Flag, words ...string) {
		t.Helper()
		got := w.cli(t, append(placed(cmd), words...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "--"+f.Name) || got.stdout != "" {
			t.Errorf("%q: %+v", append(placed(cmd), words...), got)
		}
	}
	commands(newTree(t, w), func(cmd *cobra.Command) {
		if cmd.Name() == "help" {
			return
		}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.AddFlagSet(cmd.LocalNonPersistentFlags())
		flags.AddFlagSet(cmd.Root().PersistentFlags())
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			if f.NoOptDefVal == "" {
				try(cmd, f, "--"+f.Name)
			}
			for _, value := range slices.Concat(badValues[f.Value.Type()], worseValues[f.Name]) {
				if value != "" || f.Name != "server" {
					try(cmd, f, "--"+f.Name+"="+value)
				}
			}
		})
	})
}

func TestSuggestions(t *testing.T) {
	w := newWorld(t)
	for line, want := range map[string]string{
		"task alpine --memroy 1g":    "unknown flag --memroy; did you mean --mem?",
		"task alpine --foolow":       "did you mean --follow?",
		"task alpine --time 3s":      "or --timeout?",
		"task alpine --cup 1":        "did you mean --cpu?",
		"task alpine --frobnicate":   "unknown flag --frobnicate\n",
		"task alpine -z":             "unknown flag: -z",
		"wokers":                     "did you mean workers?",
		"list":                       "did you mean list-tasks?",
		"submit alpine":              "did you mean task?", // words of other programs
		"ls":                         "list-tasks",
		"get 4f2c":                   "did you mean download?",
		"users lst":                  "did you mean users list?",
		"users delete ann":           `there is no command "users delete"; help users lists them`,
		"users ad ann":               "did you mean users add?",
		"help users rol":             "did you mean users role?",
		"help token frob":            `there is no command "token frob"`,
		"token lst":                  "did you mean token list? A token of that name is made by token -- lst",
		"token remvoe x":             "token does not take",
		"--outptu json list-tasks":   "did you mean --output?",
		"users add a@b --rloe admin": "did you mean --role?",
		"task alpine --cpu":          "--cpu: needs its value",
		"task alpine --gpu x":        "--gpu: x is not a whole number that fits",
		"task alpine --wait=x":       "--wait: x is not true or false",
	} {
		words, err := split(line)
		must(t, err)
		got := w.cli(t, words...)
		if got.code != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestTypos(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"mem", "mem", 0},
		{"mme", "mem", 1},
		{"memroy", "memory", 1},
		{"kitten", "sitting", 3},
	} {
		if got := typos(tt.a, tt.b); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
