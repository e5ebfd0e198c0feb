package cli

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

// typed is what line editing gets of an input that arrives in pieces.
func typed(t *testing.T, k *keyboard, pieces ...string) string {
	t.Helper()
	readers := make([]io.Reader, len(pieces))
	for i, p := range pieces {
		readers[i] = strings.NewReader(p)
	}
	k.file = io.MultiReader(readers...)
	got, err := io.ReadAll(iotest.OneByteReader(k))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestKeyboard(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, tt := range []struct {
		given []string
		want  string
	}{
		{[]string{"logs\t"}, "logs\t"},
		{[]string{"ta", "sk", " a\r"}, "task a\r"},
		{[]string{"\xe6\xbc", "\xa2"}, "漢"},
		{[]string{"a\xffb"}, "a\ufffdb"},
		{[]string{"a\x00b", "\x00"}, "ab"},
		{[]string{"\u009b31m"}, "\u009b31m"}, // for the filter
		{[]string{"a\u202eb"}, "a\u202eb"},   // likewise
		{[]string{string(pieceKey) + string(deleteKey)}, ""},
		{[]string{"\x1b[A", "\x1b", "[", "B", "\x1bOH"}, "\x1b[A\x1b[B\x1bOH"},
		{[]string{"\x1b[1;5C\x1bb\x1b\x7f"}, "\x1b[1;5C\x1bb\x1b\x7f"},
		{[]string{"\x1b[3~", "\x1b[", "3~"}, string([]rune{deleteKey, deleteKey})},
		{[]string{"\x1b\x1b[A"}, "\x1b[A"},
		{[]string{"\x1b[\x03", "\x1b\x03", "\x1b\r"}, "\x03\x03\r"},
		{[]string{"\x1b[" + strings.Repeat("9", 100) + "A" + "x"}, "x"},
		{[]string{"\x1b[Aonly words"}, "\x1b[A" + string(pieceKey)},
		{[]string{"a long line\rand another\r"}, string(pieceKey) + "\r" + string(pieceKey) + "\r"},
		{[]string{long, long, long, long, long, long + "\rok\r"}, strings.Repeat(string(pieceKey), 6) + "\x03ok\r"},
		{[]string{long, long, long, long, long, long + "\x03ok\r"}, strings.Repeat(string(pieceKey), 6) + "\x03ok\r"},
	} {
		if got := typed(t, &keyboard{}, tt.given...); got != tt.want {
			t.Errorf("%.80q: %.200q, want %.200q", tt.given, got, tt.want)
		}
	}
	var k keyboard
	typed(t, &k, "the first\rthe second", "short", "the third")
	for _, want := range []string{"the first", "the second", "the third", ""} {
		if got := string(k.piece()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whatever comes in, what goes out is text with known keys in it, and no text
// but that which came.
func FuzzKeyboard(f *testing.F) {
	f.Add([]byte("task alpine -- echo hi\r"), 3)
	f.Add([]byte("\x1b[3~\x1bOA\x00\x1b[200~x\x1b[201~"), 2)
	f.Add([]byte("漢字\u202e\u009b\xff"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var k keyboard
		k.file = &chunks{data, max(1, size)}
		out, err := io.ReadAll(&k)
		if err != nil || !utf8.Valid(out) || bytes.ContainsRune(out, 0) {
			t.Fatalf("%q: %q, %v", data, out, err)
		}
		n := 0
		for _, r := range string(out) {
			if r == pieceKey {
				n++
			}
		}
		if n != len(k.pieces) {
			t.Fatalf("%q: %d keys for %d pieces", data, n, len(k.pieces))
		}
		for _, piece := range k.pieces {
			for _, r := range piece {
				if !isText(r) || r == pieceKey || r == deleteKey {
					t.Fatalf("%q: %q in a piece", data, r)
				}
			}
		}
	})
}

// chunks reads so many bytes at a time.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

func TestKeyboardEnds(t *testing.T) {
	k := &keyboard{file: io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(errors.New("gone")))}
	got, err := io.ReadAll(k)
	if string(got) != "ab" || err == nil || !k.gone.Load() {
		t.Errorf("%q, %v", got, err)
	}
}

// answers checks that the prompt is alive, whatever was typed before. While a
// command runs the terminal may swallow keys, so it types until it is heard: each
// time another word, so that all that was typed is done once the last one is heard.
func (s *seat) answers(word string) {
	s.t.Helper()
	until := time.Now().Add(deadline)
	for try := 0; time.Now().Before(until); try++ {
		asked := word + "-" + number(try)
		s.types(ctrlC + ctrlC)
		s.types("explain " + asked + "\r")
		if s.screen.comes("begins with "+asked, time.Second) {
			s.sees("master> ")
			return
		}
	}
	s.t.Fatalf("the prompt does not answer: %q", s.screen.all())
}

// Keys that mean nothing here, or that line editing would fall over, do
// nothing.
func TestStrangeKeys(t *testing.T) {
	w := populate(t)
	p := w.atPrompt(t)
	before := len(w.core.Submits())
	for i, keys := range []string{
		"\x00", "x\x00\r", "\x1a", "\x1c\x1d\x1e\x1f", "\x0f\x0e\x16\x18\x11", "a\x14b", "a\x1b\x14b", // NUL, Ctrl-Z, Ctrl-T and so on
		"\x12" + ctrlC, "\x12\x07", "\x12list\x07", "\x13x" + ctrlC, "\x12\x12\x13\x7f\x7f\r", // searches
		"logs \t\t\t\x0b", "logs \t\t\x15", "logs \t\t\t\x17\x19", "logs \t\t\t\x12", "logs \t\t\t\x1b[B\x1b[A\x1b[D\x1b[C\x01\x05\x7f",
		"logs \t\t\tlong text at once", "logs \t\t\x1b[3~", "logs \x12a piece at once\x1b[3~",
		"\x1b[3~\x1b[3~\x1b[3~", "ab\x02\x1b[3~\x1b[3~", // Delete is not Ctrl-D
		"\x1b", "\x1b\x1b", "\x1b[", "\x1bO", "\x1b[<0;1;1M", "\x1b[200~pasted\x1b[201~", "\x1b[1;1R",
		"\u009b2J\u009d0;title\u009c", "\x1b]0;title\x07", "\u202eevil\u2066\r", "\xff\xfe\x80\r",
		"task 👩‍👩‍👧 -- é😀\x02\x02\x7f\x1b[3~x", "שלום عالم\x01\x04\x04", "漢字\tlogs 漢字\t\t\t", "e\u0301\u0301\x7f",
		"\x0b\x19\x19\x19", strings.Repeat("\x01\x0b\x19\x19", 30),
	} {
		p.types(keys)
		p.answers("alive" + number(i))
	}
	if n := len(w.core.Submits()); n != before {
		t.Errorf("%d tasks were submitted", n-before)
	}
	p.types(ctrlD)
	p.leaves(1)
	for _, drives := range []string{"\u009b", "\u009d", "\x1b]", "\x0e", "\x0f", "\u202e", "\x00", "\x1b[2;"} {
		if strings.Contains(p.screen.all(), drives) {
			t.Errorf("%q came to the terminal", drives)
		}
	}
}

// A line of a MiB is dropped, and the person told so.
func TestEndlessLine(t *testing.T) {
	w := newWorld(t)
	p := w.atPrompt(t)
	p.types("task alpine -- " + strings.Repeat("x", 1<<20) + "\r")
	p.sees("the line is dropped", "bin/master cli <script", "master> ")
	p.types("task alpine --quiet -- " + strings.Repeat("y", 10_000) + "\r") // a long one is not
	p.sees("task0001", "master> ")
	p.types(ctrlD)
	p.leaves(0)
	if got := w.core.Submits(); len(got) != 1 || len(got[0].Args[0]) != 10_000 {
		t.Errorf("%d tasks", len(got))
	}
}

// Random keys on terminals of any size bring nothing down.
func TestRandomKeys(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := populate(t)
	p := w.atPrompt(t)
	pieces := []string{
		"l", "logs ", "list-tasks ", "task000", "explain task0001", "--", "'", "漢字", "😀", "\xff", "help users ", "a text of some length",
		"\t", "\t\t", "\t\t\t", "\r", "\x12", "\x13", "\x07", ctrlC, "\x7f", "\x0b", "\x15", "\x17", "\x19", "\x01", "\x05", "\x02", "\x06", "\x14", "\x1a",
		"\x0c", "\x0e", "\x10", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "\x1b[H", "\x1b[F", "\x1bb", "\x1bf", "\x1bd", "\x1b\x7f", "\x1b",
	}
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		var keys string
		for range random.IntN(40) {
			keys += pieces[random.IntN(len(pieces))]
		}
		columns := uint16(1 + random.IntN(130))
		p.resize(columns, 30)
		p.types(keys)
		time.Sleep(time.Millisecond) // now and then a reader is in between
		p.resize(120, 30)
		t.Logf("%d columns: %q", columns, keys)
		p.types(" x") // ends an escape
		p.answers("round" + number(round))
	}
	p.types(ctrlD)
	p.leaves(1)
}
