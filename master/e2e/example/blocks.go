package example

import (
	"fmt"
	"strconv"
	"strings"
)

// Block is one example.
type Block struct {
	Line    int    // of the document, from 1, at which its text begins
	Text    string // to be given to a shell
	Checked bool   // the document shows what it prints:
	Want    string
	wantAt  int // line of the first of Want
}

// fence opens and closes a block.
const fence = "```"

// Blocks finds the examples of a document, in their order.
func Blocks(document string) ([]Block, error) {
	var found []Block
	lines := strings.Split(document, "\n")
	follows := false // only empty lines since the end of the last example
	for i := 0; i < len(lines); i++ {
		language, opens := strings.CutPrefix(lines[i], fence)
		switch {
		case !opens && strings.HasPrefix(strings.TrimSpace(lines[i]), fence):
			return nil, fmt.Errorf("line %d: a block that is set in would be passed over; begin it at the margin", i+1)
		case !opens:
			follows = follows && lines[i] == ""
			continue
		}
		begin := i + 1
		for i++; i < len(lines) && lines[i] != fence; i++ {
			if strings.HasPrefix(lines[i], fence) {
				return nil, fmt.Errorf("line %d: a block begins within the one of line %d", i+1, begin)
			}
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: this block has no end", begin)
		}
		text := strings.Join(lines[begin:i], "\n")
		switch language {
		case "sh":
			found = append(found, Block{Line: begin + 1, Text: text})
		case "text":
			if !follows {
				return nil, fmt.Errorf("line %d: this text block follows no sh block, so that nothing checks it", begin)
			}
			last := &found[len(found)-1]
			last.Checked, last.Want, last.wantAt = true, text, begin+1
		}
		follows = language == "sh"
	}
	return found, nil
}

// Script makes one script of the examples, for bash. Each stands in it at its
// line of the document, so that the shell's messages name that one. What the
// i-th prints goes to the file i.out in the folder, its errors to i.err; the
// files are made when it begins.
func Script(blocks []Block, dir string) string {
	var script strings.Builder
	line := 1
	for i, b := range blocks {
		script.WriteString(strings.Repeat("\n", b.Line-1-line)) // up to the fence
		out := dir + "/" + strconv.Itoa(i)
		fmt.Fprintf(&script, "exec >%s 2>%s\n%s\n", quote(out+".out"), quote(out+".err"), b.Text)
		line = b.Line + strings.Count(b.Text, "\n") + 1
	}
	return script.String()
}

// quote makes one word of the text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
