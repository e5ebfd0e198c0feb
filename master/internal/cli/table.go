package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/mattn/go-runewidth"
	"go.yaml.in/yaml/v3"
)

// cell is one place of a table.
type cell struct {
	text string
	how  style
}

func cells(texts ...string) []cell {
	out := make([]cell, len(texts))
	for i, text := range texts {
		out[i].text = text
	}
	return out
}

// table is rows under headings.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

const columnGap = 2

// print aligns the columns. Texts are cleaned here, so that no caller can
// forget it.
func (t *table) print(s stream, indent string) {
	rows := t.rows
	if len(t.head) > 0 {
		head := cells(t.head...)
		for i := range head {
			head[i].how = bold
		}
		rows = append([][]cell{head}, rows...)
	}
	var widths []int
	texts := make([][]string, len(rows))
	for i, row := range rows {
		for j, c := range row {
			text := s.cell(c.text)
			texts[i] = append(texts[i], text)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], widthOf(text))
		}
	}
	var out strings.Builder
	for i, row := range rows {
		line := indent
		for j, c := range row {
			line += s.paint(c.how, texts[i][j])
			if j < len(row)-1 {
				line += strings.Repeat(" ", widths[j]-widthOf(texts[i][j])+columnGap)
			}
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprint(s, out.String())
}

// widthOf is how many columns a text takes on a terminal.
func widthOf(text string) int { return runewidth.StringWidth(text) }

// list is a list as documents show it, in the shape of the API's.
type list[T any] struct {
	Items []T `json:"items"`
}

func listOf[T any](items []T) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{items}
}

// asDocument reports whether the output is for programs.
func (c *command) asDocument() bool { return c.output != "table" }

// document prints one JSON or YAML document.
func (c *command) document(v any) error {
	data, err := c.encode(v, "  ")
	if err == nil {
		_, err = c.out.Write(data)
	}
	return err
}

func (c *command) encode(v any, indent string) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	if c.output == "yaml" {
		return toYAML(out.Bytes())
	}
	if c.out.tty {
		return escapeControls(out.Bytes()), nil
	}
	return out.Bytes(), nil
}

// escapeControls writes the characters that JSON leaves as they are, and that
// terminals or YAML take for control characters, in their escaped form. They
// stand in strings only.
func escapeControls(data []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(data) {
		if r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff || reorders(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// indented finds a line that begins with white space.
var indented = regexp.MustCompile(`(?m)^\s`)

// toYAML writes a JSON document, which is YAML already, in YAML's block style;
// order and names stay.
func toYAML(data []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(escapeControls(data), &doc); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	blockStyle(&doc)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&doc); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), nil
}

// blockStyle leaves the style to the encoder, but for strings that would begin
// a line with white space: the encoder writes such blocks so that its own
// decoder refuses some of them.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && indented.MatchString(n.Value) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}
