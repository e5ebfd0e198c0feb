package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// taskArgs checks that the words before -- are the ones that are due.
func (c *command) taskArgs(cmd *cobra.Command, args []string, due ...string) error {
	own := len(args)
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		own = dash
	}
	if own < len(due) {
		return usagef("%s needs %s\n%s", cmd.Name(), due[own], seeHelp(cmd))
	}
	if own > len(due) {
		return c.tangled(cmd, len(due))
	}
	return nil
}

// untangleFlags answers a flag that is not ours. After a word for the container
// it is most likely meant for the container too.
func (c *command) untangleFlags(cmd *cobra.Command, due int) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if _, rest := untangle(cmd.Flags(), c.args, due+1); len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return c.tangled(cmd, due)
		}
		return flagError(cmd, err)
	})
}

// tangled says how to write what mixes our words with the container's.
func (c *command) tangled(cmd *cobra.Command, due int) error {
	own, rest := untangle(cmd.Flags(), c.args, due+1) // and the command's name
	return usagef("what is meant for the container follows --; write it so:\n  %s -- %s", c.typed(quote(own)), quote(rest))
}

// untangle tells our words, of which so many are no flags, from those meant
// for the container, which are all other words and the flags that we do not
// know.
func untangle(flags *pflag.FlagSet, args []string, due int) (own, rest []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		flag := (*pflag.Flag)(nil)
		inline := false // the value is in the same word
		switch {
		case arg == "--":
			return own, append(rest, args[i+1:]...)
		case strings.HasPrefix(arg, "--"):
			name, _, found := strings.Cut(arg[2:], "=")
			flag, inline = flags.Lookup(name), found
		case len(arg) > 1 && arg[0] == '-' && len(rest) == 0:
			flag, inline = flags.ShorthandLookup(arg[1:2]), len(arg) > 2
			if inline && flag != nil && flag.NoOptDefVal != "" {
				flag = nil // several in one word: not ours, we have no two such
			}
		case due > 0 && !strings.HasPrefix(arg, "-"):
			due--
			own = append(own, arg)
			continue
		}
		if flag == nil {
			rest = append(rest, arg)
			continue
		}
		own = append(own, arg)
		if flag.NoOptDefVal == "" && !inline && i+1 < len(args) {
			i++
			own = append(own, args[i])
		}
	}
	return own, rest
}

// quote writes words as they would have to be typed.
func quote(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = word
		if word == "" || strings.ContainsAny(word, " \t\r\n\"'\\#$&|;<>()*?!`~") {
			out[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
