package cli

import (
	"bytes"
	"context"
	"strings"

	"github.com/spf13/cobra"
)

// shownCompletions is how many ids a Tab offers.
const shownCompletions = 50

func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, lookupPatience)
}

// completer answers Tab with what the command tree itself knows.
type completer struct {
	shell *shell
	ctx   context.Context //nolint:containedctx // readline hands none over
}

// Do gives the rests of the words that fit, and how much of them is typed.
func (t *completer) Do(line []rune, pos int) (rests [][]rune, typed int) {
	before := string(line[:pos])
	words, err := split(before)
	if err != nil {
		return nil, 0
	}
	last := ""
	if before != "" && !strings.HasSuffix(before, " ") {
		last, words = words[len(words)-1], words[:len(words)-1]
		if !strings.HasSuffix(before, last) {
			return nil, 0 // within quotes: leave it alone
		}
	}
	fits := t.fits(words, last)
	for _, fit := range fits {
		rests = append(rests, []rune(strings.TrimPrefix(fit, last)+" "))
	}
	return rests, len([]rune(last))
}

// fits asks a tree for the words that may stand after these.
func (t *completer) fits(words []string, prefix string) []string {
	var out bytes.Buffer
	c := &command{shell: t.shell, settings: t.shell.base, out: stream{Writer: &out}, err: stream{Writer: &out}}
	defer c.close()
	root := c.tree()
	root.SetOut(&out)
	root.SetArgs(append(append([]string{cobra.ShellCompNoDescRequestCmd}, words...), prefix))
	if err := root.ExecuteContext(t.ctx); err != nil {
		return nil
	}
	var fits []string
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, ":") || !strings.HasPrefix(line, prefix) || line == "" {
			continue // the directive at the end
		}
		fits = append(fits, line)
	}
	return fits
}
