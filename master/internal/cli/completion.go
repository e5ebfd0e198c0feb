package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// program is what the shell completes for: the master's own command, below
// which the prompt's commands are.
const program = "master"

func (c *command) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion <shell>",
		Short: "Print what makes a shell complete commands and ids",
		Long: `Prints a script for bash, zsh or fish, after which Tab completes what follows
"master cli": commands, flags, and the ids of tasks and workers, for which it asks
the master.`,
		Example:           "completion bash\ncompletion zsh\ncompletion fish",
		Args:              arguments("a shell: bash, zsh or fish"),
		ValidArgsFunction: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			// The script asks the program itself, so that it need not know the tree.
			root := &cobra.Command{Use: program}
			var script strings.Builder
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, false)
			case "zsh":
				err = root.GenZshCompletionNoDesc(&script)
			case "fish":
				err = root.GenFishCompletion(&script, false)
			default:
				return usagef("there is no completion for %q; known are %s", args[0], strings.Join(shells, ", "))
			}
			if err == nil {
				_, err = io.WriteString(c.out, script.String())
			}
			return err
		},
	}
}

// Complete answers a shell's script: args are the words after the program, the
// last one as far as it is typed. Only what follows cli is known.
func Complete(args []string, cfg Config) int {
	const ask = cobra.ShellCompNoDescRequestCmd
	if len(args) == 1 {
		for _, word := range []string{"cli", "serve", "openapi", "backup", "restore", "fsck", "migrate"} {
			if strings.HasPrefix(word, args[0]) {
				fmt.Fprintln(cfg.Stdout, word)
			}
		}
		fmt.Fprintf(cfg.Stdout, ":%d\n", cobra.ShellCompDirectiveNoFileComp)
		return 0
	}
	if len(args) == 0 || args[0] != "cli" {
		fmt.Fprintf(cfg.Stdout, ":%d\n", cobra.ShellCompDirectiveDefault)
		return 0
	}
	s := newShell(cfg)
	c := &command{shell: s, settings: s.base, out: s.out, err: stream{Writer: io.Discard}}
	defer c.close()
	root := c.tree()
	root.SetOut(cfg.Stdout)
	root.SetArgs(append([]string{ask}, args[1:]...))
	if root.Execute() != nil {
		return 1
	}
	return 0
}
