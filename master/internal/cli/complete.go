package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shownCompletions is how many ids a Tab offers.
const shownCompletions = 50

func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, lookupPatience)
}

// completer answers Tab with what the command tree itself knows.
type completer struct {
	shell   *shell
	ctx     context.Context //nolint:containedctx // readline hands none over
	columns *atomic.Int64   // of the terminal
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
		if len(words) == 0 {
			return nil, 0 // a comment
		}
		last, words = words[len(words)-1], words[:len(words)-1]
		if !strings.HasSuffix(before, last) {
			return nil, 0 // within quotes: leave it alone
		}
	}
	fits := t.fits(words, last)
	if len(fits) > 1 && !t.canList(last, fits) {
		return asFarAsSure(last, fits), len([]rune(last))
	}
	for _, fit := range fits {
		rests = append(rests, []rune(strings.TrimPrefix(fit, last)+" "))
	}
	return rests, len([]rune(last))
}

// canList reports whether line editing can show these side by side: it falls
// over columns wider than the terminal and over wide characters in what is
// typed.
func (t *completer) canList(typed string, fits []string) bool {
	widest := 0
	for _, fit := range fits {
		widest = max(widest, widthOf(fit))
	}
	const gaps = 4 // of line editing: behind each word, at the end of the line
	return widthOf(typed) == len([]rune(typed)) && int64(widest+gaps) < t.columns.Load()
}

// asFarAsSure is what all the words go on with, in place of a list.
func asFarAsSure(typed string, fits []string) [][]rune {
	common := fits[0]
	for _, fit := range fits[1:] {
		for !strings.HasPrefix(fit, common) {
			_, size := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-size]
		}
	}
	if common == typed {
		return nil
	}
	return [][]rune{[]rune(strings.TrimPrefix(common, typed))}
}

// fits gives the words that may stand after these. It asks the tree itself:
// what cobra has for shells prints to stderr when it does not understand.
func (t *completer) fits(words []string, typed string) []string {
	c := &command{shell: t.shell, settings: t.shell.base, out: stream{Writer: io.Discard}, err: stream{Writer: io.Discard}}
	defer c.close()
	cmd, args, err := c.tree().Find(words)
	if err != nil || slices.Contains(args, "--") {
		return nil
	}
	cmd.SetContext(t.ctx)
	cmd.InitDefaultHelpFlag()
	flag, before, value := flagToFill(cmd, args, typed)
	if flag != nil {
		args, typed = args[:len(args)-before], value
	}
	if cmd.ParseFlags(args) != nil {
		return nil
	}
	var fits []string
	switch {
	case flag != nil:
		if complete, ok := cmd.GetFlagCompletionFunc(flag.Name); ok {
			fits, _ = complete(cmd, cmd.Flags().Args(), typed)
		}
	case strings.HasPrefix(typed, "-"):
		cmd.Flags().VisitAll(func(f *pflag.Flag) { fits = append(fits, "--"+f.Name) })
	default:
		if cmd.Flags().NArg() == 0 {
			fits = namesBelow(cmd)
		}
		if cmd.ValidArgsFunction != nil {
			more, _ := cmd.ValidArgsFunction(cmd, cmd.Flags().Args(), typed)
			fits = append(fits, more...)
		}
	}
	return slices.DeleteFunc(fits, func(fit string) bool { return !strings.HasPrefix(fit, typed) })
}

// flagToFill is the flag whose value is being typed, nil for none: the last of
// the words, or in the same word as the value. Before counts its own words.
func flagToFill(cmd *cobra.Command, args []string, typed string) (flag *pflag.Flag, before int, value string) {
	find := func(word string) *pflag.Flag {
		switch {
		case strings.HasPrefix(word, "--"):
			return cmd.Flag(word[2:])
		case len(word) == 2 && word[0] == '-':
			_ = cmd.LocalFlags() // brings in those of every command
			return cmd.Flags().ShorthandLookup(word[1:])
		}
		return nil
	}
	if name, rest, found := strings.Cut(typed, "="); found && strings.HasPrefix(typed, "--") {
		return find(name), 0, rest
	}
	if len(args) > 0 {
		if f := find(args[len(args)-1]); f != nil && f.NoOptDefVal == "" {
			return f, 1, typed
		}
	}
	return nil, 0, typed
}
