package cli

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/pflag"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"512m": 512, "2g": 2048, "2G": 2048, "1.5g": 1536, "1t": 1 << 20, "1k": 1, "1025k": 2, "64MiB": 64, "64mb": 64,
		"\t5m\n": 5, "0m": 0, ".5g": 512, "0.0001m": 1,
	} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "m", "512", "-1m", "+1m", "1e3m", "NaNm", "Infm", "1..5g", "lots", "1 g", "0x10m", "1,5g", "１m", "9999999999999p", "b", "1x",
		strings.Repeat("9", 400) + "g",
	} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q passes as %d", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"512m", "2g", "1.5GiB", "", "m", "-1m", "1e9g", "99999999999999999999p"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSize(text)
		if err == nil && (n < 0 || n > maxSize) || err != nil && n != 0 {
			t.Fatalf("%q: %d, %v", text, n, err)
		}
	})
}

func TestParseCPU(t *testing.T) {
	if n, err := parseCPU("0.5"); n != 0.5 || err != nil {
		t.Error(n, err)
	}
	for _, text := range []string{"", "NaN", "Inf", "-inf", "-1", "half", "1,5", "1e999"} {
		if n, err := parseCPU(text); err == nil || math.IsNaN(n) {
			t.Errorf("%q passes as %g", text, n)
		}
	}
}

func FuzzParsePairs(f *testing.F) {
	f.Add("A=b", "C=")
	f.Add("A", "=x")
	f.Add("A=1", "A=2")
	f.Fuzz(func(t *testing.T, a, b string) {
		out, err := parsePairs([]string{a, b})
		if err != nil {
			return
		}
		var back []string
		for name, value := range out {
			if name == "" || strings.Contains(name, "=") {
				t.Fatalf("%q %q: name %q", a, b, name)
			}
			back = append(back, name+"="+value)
		}
		slices.Sort(back)
		want := []string{a, b}
		slices.Sort(want)
		if !slices.Equal(back, want) {
			t.Fatalf("%q gives %q", want, back)
		}
	})
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":              nil,
		"  # a comment": nil,
		"a  b\tc":       {"a", "b", "c"},
		`task x -- sh -c 'echo hi; echo 42 > /output/answer'`: {"task", "x", "--", "sh", "-c", "echo hi; echo 42 > /output/answer"},
		`a "b c" d\ e ''`:         {"a", "b c", "d e", ""},
		`a | b && c > d; $HOME *`: {"a", "|", "b", "&&", "c", ">", "d;", "$HOME", "*"},
		`--name="quoted 'x'" 漢字`:  {"--name=quoted 'x'", "漢字"},
	} {
		if got, err := split(line); !slices.Equal(got, want) || err != nil {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`a "b`, `a 'b`, `a \`} {
		if got, err := split(line); err == nil {
			t.Errorf("%s passes as %q", line, got)
		}
	}
}

// FuzzSplit: words that are written as quote has them come back the same.
func FuzzSplit(f *testing.F) {
	f.Add("a", "b c")
	f.Add("it's", "")
	f.Add("#x", "a\nb\r")
	f.Add(`\`, `"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		_, _ = split(a) // no line brings it down
		if strings.ContainsRune(a+b, 0) || a != strings.ToValidUTF8(a, "") || b != strings.ToValidUTF8(b, "") {
			t.Skip("no such arguments")
		}
		got, err := split(quote([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q %q: %q, %v", a, b, got, err)
		}
	})
}

// FuzzLine runs any line, and completes it, on a master that never answers.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		"task alpine --cpu 1 -- echo hi", "list-tasks queued -o json", "logs -f --tail=3 x", "users add a@b --role", "token -- x --scope ''",
		"help users add", "help \x00", "explain 'x", "-o yaml", "--server=http://x stats w", "task a b c -n", "download x /nowhere", "doctor -o json", "-", "--", "-o", "#comment",
	} {
		f.Add(seed, len(seed))
	}
	nobody, cancel := context.WithCancel(context.Background())
	cancel()
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, line string, pos int) {
		var out, errs bytes.Buffer
		getenv := func(name string) string { return map[string]string{"MASTER_DATA_DIR": dir}[name] }
		s := newShell(Config{Getenv: getenv, Stdout: &out, Stderr: &errs})
		s.mode = modePrompt
		s.out.tty, s.err.tty = true, true
		code, ran := s.line(nobody, line)
		switch code {
		case 0, exitFailed, exitUsage, exitCancelled:
		default:
			t.Fatalf("%q: exit code %d", line, code)
		}
		if ran && code == exitUsage && errs.Len() == 0 {
			t.Fatalf("%q: not a word", line)
		}
		for _, r := range out.String() + errs.String() {
			if !isText(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q prints %q", line, r)
			}
		}
		runes := []rune(line)
		pos = max(0, min(pos, len(runes)))
		complete := completer{shell: s, ctx: nobody, columns: &atomic.Int64{}}
		if _, typed := complete.Do(runes, pos); typed < 0 || typed > pos {
			t.Fatalf("%q: %d characters are typed before %d", line, typed, pos)
		}
	})
}

func TestUntangle(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("cpu", "", "")
	flags.StringArrayP("env", "e", nil, "")
	flags.Bool("follow", false, "")
	flags.BoolP("file", "f", false, "")
	for line, want := range map[string]string{
		"task alpine echo hi":                   "task alpine -- echo hi",
		"task alpine ls -la":                    "task alpine -- ls -la",
		"task --cpu 1 alpine echo --follow":     "task --cpu 1 alpine --follow -- echo",
		"task --cpu=1 -e A=b -eC=d alpine x -e": "task --cpu=1 -e A=b -eC=d alpine -- x -e",
		"task alpine --nope x -- y --follow":    "task alpine -- --nope x y --follow",
		"task -f alpine -fx - a":                "task -f alpine -- -fx - a",
		"task":                                  "task -- ",
		"task --cpu":                            "task --cpu -- ",
	} {
		own, rest := untangle(flags, strings.Fields(line), 2)
		if got := strings.Join(own, " ") + " -- " + strings.Join(rest, " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 30: "1 GiB", 1 << 50: "1024 TiB"} {
		if got := bytesInWords(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 MiB", 512: "512 MiB", 1500: "1500 MiB", 2048: "2 GiB", 24105: "23.5 GiB", 1 << 20: "1024 GiB"} {
		if got := mib(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := shorten("漢字漢字", 5); got != "漢字…" {
		t.Errorf("%q", got)
	}
}
