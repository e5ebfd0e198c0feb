package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"cloudai/master/internal/cluster"
)

func TestCleanText(t *testing.T) {
	for _, tt := range []struct{ in, want, colorless string }{
		{"plain\ttext\n", "plain\ttext\n", ""},
		{"漢字 👍 é\n", "漢字 👍 é\n", ""},
		{"a\x1b[31mred\x1b[0mb", "a\x1b[31mred\x1b[0mb", "aredb"},
		{"a\x1b[38;2;1;2;3mx\x1b[m", "a\x1b[38;2;1;2;3mx\x1b[m", "ax"},
		{"a\x1b[31mred", "a\x1b[31mred\x1b[0m", "ared"},
		{"\x1b[>4;2m", "", ""},   // xterm's keyboard, not color
		{"\x1b[31\x20m", "", ""}, // an intermediate byte makes it something else
		{"a\x1b[2J\x1b[H\x1b[10;10Hb", "ab", ""},
		{"a\x1b]0;title\x07b", "ab", ""},
		{"a\x1b]52;c;aGk=\x1b\\b", "ab", ""},
		{"a\x1bP1$r\x1b\\b\x1b^pm\x1b\\c\x1b_app\x1b\\d", "abcd", ""},
		{"a\x1b]0;never ends\nnext", "a\nnext", ""},
		{"a\x1bcb\x1b7c\x1b(0d", "abcd", ""},
		{"a\u009b2Jb\u009d0;t\x07c\u0085d", "abcd", ""},
		{"a\u009b31mb", "a\x1b[31mb\x1b[0m", "ab"},
		{"a\x9b2Jb", "a\uFFFD2Jb", ""},
		{"a\x00\x07\x08\x0b\x0c\x0e\x7fb", "ab", ""},
		{"10%\r20%\r\ndone\r\n", "10%\n20%\ndone\n", ""},
		{"a\u202eb\u2066c\u200fd", "abc\u200fd", ""},
		{"cut \xe6\xbc", "cut \uFFFD", ""},
		{"\xe6x\xf0\x9f\x1b[2J", "\uFFFDx\uFFFD", ""},
		{"a\x1b[" + strings.Repeat("1;", 60) + "mb", "ab", ""},
		{"a\x1b[1\x1b[31mb", "a\x1b[31mb\x1b[0m", "ab"},
		{"a\x1b\x1b[2Jb\x1b", "ab", ""},
		{"ends in \x1b[31", "ends in ", ""},
	} {
		if got := cleanText(tt.in, true); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
		want := tt.colorless
		if want == "" {
			want = tt.want
		}
		if got := cleanText(tt.in, false); got != want {
			t.Errorf("%q without color: %q, want %q", tt.in, got, want)
		}
	}
	if got := cleanCell("a\tb\r\nc\x1b[31md\n"); got != "a b⏎cd⏎" {
		t.Errorf("%q", got)
	}
}

// FuzzClean: whatever comes, in whatever pieces, nothing that drives a terminal
// goes through, and plain text is not touched.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"plain", "a\x1b[31mb\x1b[0m", "\x1b]0;t\x07", "\u009b1m", "\xe6\xbc\xa2", "a\rb\r\n", "\x1b\x1b[", "\x1bP\x1b\\"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, cut int) {
		whole := cleanText(text, true)
		rest := whole
		for rest != "" {
			if sgr := sgrAt(rest); sgr > 0 {
				rest = rest[sgr:]
				continue
			}
			r, size := utf8.DecodeRuneInString(rest)
			if r == utf8.RuneError && size == 1 || r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || reorders(r) {
				t.Fatalf("%q lets %q through in %q", text, rest[:size], whole)
			}
			rest = rest[size:]
		}
		if plain := cleanText(text, false); strings.ContainsRune(plain, 0x1b) || strings.ContainsAny(cleanCell(text), "\n\t\x1b\r") {
			t.Fatalf("%q: %q %q", text, plain, cleanCell(text))
		}
		if again := cleanText(whole, true); again != whole {
			t.Fatalf("%q: twice gives %q after %q", text, again, whole)
		}
		if cut = max(0, min(len(text), cut)); true {
			var pieces bytes.Buffer
			c := newCleaner(&pieces, true)
			for _, piece := range []string{text[:cut], text[cut:]} {
				if n, err := c.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
			if c.state == inText && len(c.seq) > 0 {
				pieces.WriteRune(utf8.RuneError)
			}
			must(t, c.reset())
			if pieces.String() != whole {
				t.Fatalf("%q cut at %d: %q, whole %q", text, cut, pieces.String(), whole)
			}
		}
	})
}

// sgrAt is the length of the SGR sequence that the text begins with.
func sgrAt(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}
	for i := 2; i < len(text); i++ {
		switch b := text[i]; {
		case b == 'm':
			return i + 1
		case (b < '0' || b > '9') && b != ';' && b != ':':
			return 0
		}
	}
	return 0
}

// What a task prints reaches a terminal without control sequences, unless
// --raw; messages and names likewise; color only when it is wanted.
func TestTerminalOutput(t *testing.T) {
	w := newWorld(t)
	id := w.submit(t, cluster.TaskRequest{})
	text := "a\x1b[2J\x1b[32mgreen\x1b[0m\n"
	w.log(t, id, 1, "o:"+text, "e:10%\r20%\n", "o:\x1b[31munfinished")
	w.ends(t, id, nil, cluster.FailureRuntime, "bad\x1b]0;title\x07 end")
	got := w.onTerminal(t, true, "logs", "task0001")
	if got.stdout != "a\x1b[32mgreen\x1b[0m\n\x1b[31munfinished\x1b[0m\n" || got.stderr != "10%\n20%\n" {
		t.Errorf("%+q", got.lines())
	}
	got = w.onTerminal(t, false, "logs", "task0001")
	if got.stdout != "agreen\nunfinished\n" {
		t.Errorf("without color: %+q", got.lines())
	}
	got = w.onTerminal(t, true, "--raw", "logs", "task0001")
	if !strings.HasPrefix(got.stdout, text) {
		t.Errorf("raw: %+q", got.lines())
	}
	got = w.cli(t, "logs", "task0001")
	if got.stdout != text+"\x1b[31munfinished" || got.stderr != "10%\r20%\n" {
		t.Errorf("not on a terminal: %+q", got.lines())
	}
	got = w.onTerminal(t, false, "explain", "task0001")
	if !strings.Contains(got.stdout, "runtime: bad end") || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("%+q", got.lines())
	}
	got = w.onTerminal(t, true, "monitor", "task0001")
	if strings.Contains(got.stderr, "\x1b]") || !strings.Contains(got.stderr, "bad end") {
		t.Errorf("%+q", got.lines())
	}
	got = w.onTerminal(t, true, "-o", "json", "explain", "task0001")
	if strings.Contains(got.stdout, "\x1b") {
		t.Errorf("%+q", got.lines())
	}
}

// FuzzYAML: the YAML of any text is that text again, and drives no terminal.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"plain", "a\nb", "\x1b[31m", "\u009b", "yes", "1e3", "null", "- x", "a: b", "#", "\t", "\t\n", "a\n \tb", "\r\n", "\u2028", "\ufeff", "\uffff", "\u0085", "👍"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("JSON has none")
		}
		data, err := json.Marshal(map[string]any{"k": text, "l": []string{text, ""}, "n": 1 << 40})
		must(t, err)
		out, err := toYAML(data)
		must(t, err)
		var back struct {
			K string
			L []string
			N int
		}
		if err := yaml.Unmarshal(out, &back); err != nil || back.K != text || back.L[0] != text || back.N != 1<<40 {
			t.Fatalf("%q: %v, %q from\n%s", text, err, back.K, out)
		}
		for _, r := range string(out) {
			if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q: %q in\n%s", text, r, out)
			}
		}
	})
}
