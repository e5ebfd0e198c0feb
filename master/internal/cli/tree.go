package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// tree makes all commands anew; a tree keeps the flags of its one run.
func (c *command) tree() *cobra.Command {
	root := &cobra.Command{
		Use:   "master",
		Short: "Commands for tasks, workers and files",
		Example: `task busybox --follow -- sh -c 'echo hi; echo 42 >/output/answer'
list-tasks
download 4f2c ./results`,
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "bin/master cli",
		},
		Args:              cobra.ArbitraryArgs,
		RunE:              unknown,
		PersistentPreRunE: c.prepare,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentFlags().SortFlags = false
	c.settings.bind(root.PersistentFlags())
	root.SetOut(c.out)
	root.SetErr(io.Discard)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(c.help)
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	root.AddCommand(
		c.taskCommand(), c.batchCommand(), c.listCommand(), c.queueCommand(), c.logsCommand(), c.monitorCommand(), c.explainCommand(),
		c.cancelCommand(), c.retryCommand(), c.filesCommand(), c.taskFilesCommand(), c.downloadCommand(), c.workersCommand(),
		c.statsCommand(), c.statusCommand(), c.dispatchCommand(), c.registerCommand(), c.unregisterCommand(),
		c.drainCommand(), c.undrainCommand(), c.usersCommand(), c.tokenCommand(), c.joinCommand(), c.doctorCommand(),
		c.exportCommand(), c.pruneCommand(), c.auditCommand(), c.completionCommand(), c.exitCommand(),
	)
	root.SetHelpCommand(c.helpCommand())
	root.InitDefaultHelpCmd() // adds it
	return root
}

// prepare is done before each command that is written well.
func (c *command) prepare(cmd *cobra.Command, _ []string) error {
	if err := checkFlags(cmd.Flags()); err != nil {
		return err
	}
	return c.connect(cmd)
}

// unknown answers what no command is called.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknownName(cmd, args[0])
}

// unknownName answers what is no command below this one.
func unknownName(parent *cobra.Command, name string) error {
	path := append(pathOf(parent), name)
	text := fmt.Sprintf("there is no command %q", strings.Join(path, " "))
	if near := nearNames(parent, name); len(near) > 0 {
		return usageError{text + "; did you mean " + strings.Join(near, " or ") + "?"}
	}
	return usageError{text + "; " + strings.Join(append([]string{"help"}, pathOf(parent)...), " ") + " lists them"}
}

// nearNames are the commands below the parent that may have been meant, as
// they are written.
func nearNames(parent *cobra.Command, name string) []string {
	parent.SuggestionsMinimumDistance = mostTypos
	near := parent.SuggestionsFor(name)
	for i := range near {
		near[i] = strings.Join(append(pathOf(parent), near[i]), " ")
	}
	return near
}

// pathOf is the words of a command.
func pathOf(cmd *cobra.Command) []string {
	if !cmd.HasParent() {
		return nil
	}
	return append(pathOf(cmd.Parent()), cmd.Name())
}

// arguments checks the number of arguments; names say what they are, those in
// brackets may be left out, and one that ends in ... may be repeated.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if len(args) <= i && !strings.HasPrefix(name, "[") {
				return usagef("%s needs %s\n%s", strings.Join(pathOf(cmd), " "), name, seeHelp(cmd))
			}
		}
		many := len(names) > 0 && strings.HasSuffix(strings.TrimSuffix(names[len(names)-1], "]"), "...")
		if len(args) > len(names) && !many {
			return usagef("%s does not take %q\n%s", strings.Join(pathOf(cmd), " "), args[len(names)], seeHelp(cmd))
		}
		return nil
	}
}

func (c *command) exitCommand() *cobra.Command {
	short := "Leave the prompt; the master runs on"
	if c.mode == modeServing {
		short = "Shut the master down, after one question"
	}
	return &cobra.Command{
		Use:               "exit",
		SuggestFor:        []string{"quit", "logout", "shutdown"},
		Short:             short,
		Example:           "exit",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			c.leaving = true
			return nil
		},
	}
}

// taskIDs completes the id of a task as the only argument, or as each of many.
func (c *command) taskIDs(many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many || c.connect(cmd) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := withPatience(cmd.Context())
		defer cancel()
		ids, err := c.client.TaskIDs(ctx, prefix, shownCompletions)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
