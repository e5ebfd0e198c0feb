package example

import (
	"fmt"
	"regexp"
	"strings"
)

// Stand-ins in what a document shows.
const (
	anyLines = "..."
	anyText  = "…"
)

// Check is nil when the example has printed what the document shows, or when
// that shows nothing.
func (b Block) Check(printed string) error {
	if !b.Checked {
		return nil
	}
	want, got := linesOf(b.Want), linesOf(printed)
	if matches(want, got, true) {
		return nil
	}
	// Where they part: after the most lines with which a beginning agrees.
	agreed := len(want)
	for ; agreed > 0 && !matches(want[:agreed], got, false); agreed-- {
	}
	if agreed == len(want) {
		return fmt.Errorf("line %d: more is printed after this line", b.wantAt+agreed-1)
	}
	return fmt.Errorf("line %d: %q is not printed there", b.wantAt+agreed, want[agreed])
}

// linesOf is the text without the empty lines at its end.
func linesOf(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// matches reports whether the lines are as wanted, all of them or only their
// beginning.
func matches(want, got []string, whole bool) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range want {
		if line == anyLines {
			pattern.WriteString(`(?:.*\n)*`)
		} else {
			pattern.WriteString(patternOf(line) + `\n`)
		}
	}
	if whole {
		pattern.WriteString(`\z`)
	}
	var text strings.Builder
	for _, line := range got {
		text.WriteString(line + "\n")
	}
	return regexp.MustCompile(pattern.String()).MatchString(text.String())
}

var spaces = regexp.MustCompile(` +`)

// patternOf matches one line. Spaces at its end do not count.
func patternOf(line string) string {
	pieces := strings.Split(strings.TrimRight(line, " "), anyText)
	for i, piece := range pieces {
		pieces[i] = spaces.ReplaceAllString(regexp.QuoteMeta(piece), ` +`)
	}
	return strings.Join(pieces, `.*`) + ` *`
}
