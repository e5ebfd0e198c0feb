package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tree makes all commands anew; a tree keeps the flags of its one run.
func (c *command) tree() *cobra.Command {
	root := &cobra.Command{
		Use:   "master",
		Short: "Commands for tasks, workers and files",
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "bin/master cli",
		},
		Args:                       cobra.ArbitraryArgs,
		RunE:                       unknown,
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return c.connect(cmd) },
		SilenceUsage:               true,
		SilenceErrors:              true,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().SortFlags = false
	c.settings.bind(root.PersistentFlags())
	root.SetOut(c.out)
	root.SetErr(io.Discard)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s\n%s", err, seeHelp(cmd))
	})
	root.SetHelpFunc(c.help)
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	root.AddCommand(
		c.taskCommand(), c.listCommand(), c.queueCommand(), c.logsCommand(), c.monitorCommand(), c.explainCommand(),
		c.cancelCommand(), c.filesCommand(), c.taskFilesCommand(), c.downloadCommand(), c.workersCommand(),
		c.statusCommand(), c.dispatchCommand(), c.exitCommand(),
	)
	root.SetHelpCommand(c.helpCommand())
	return root
}

// unknown answers what no command is called.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.Root().SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	} else {
		text += "; help lists them"
	}
	return usageError{text}
}

// arguments checks the number of arguments; names say what they are, those in
// brackets may be left out, and one that ends in ... may be repeated.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if len(args) <= i && !strings.HasPrefix(name, "[") {
				return usagef("%s needs %s\n%s", cmd.Name(), name, seeHelp(cmd))
			}
		}
		many := len(names) > 0 && strings.HasSuffix(strings.TrimSuffix(names[len(names)-1], "]"), "...")
		if len(args) > len(names) && !many {
			return usagef("%s does not take %q\n%s", cmd.Name(), args[len(names)], seeHelp(cmd))
		}
		return nil
	}
}

// seeHelp ends a usage error with the way to write it.
func seeHelp(cmd *cobra.Command) string {
	text := "usage: " + usageOf(cmd)
	if example := firstExample(cmd); example != "" {
		text += "\n  as in: " + example
	}
	return text
}

func firstExample(cmd *cobra.Command) string {
	line, _, _ := strings.Cut(cmd.Example, "\n")
	line, _, _ = strings.Cut(line, "   #")
	return strings.TrimSpace(line)
}

func usageOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "<command> [flags]"
	}
	return cmd.Use
}

// help is what help, --help and -h print.
func (c *command) help(cmd *cobra.Command, _ []string) {
	var out strings.Builder
	if long := cmd.Long; long != "" {
		out.WriteString(strings.TrimSpace(long) + "\n\n")
	} else {
		out.WriteString(cmd.Short + ".\n\n")
	}
	prefix := ""
	if c.mode == modeOnce {
		prefix = "bin/master cli "
	}
	section := func(title, body string) {
		if body = strings.TrimRight(body, "\n "); body != "" {
			fmt.Fprintf(&out, "%s\n%s\n\n", c.out.paint(bold, title), body)
		}
	}
	section("Usage", "  "+prefix+usageOf(cmd))
	if !cmd.HasParent() {
		section("Commands", commandsOf(cmd))
	}
	var examples []string
	if cmd.Example != "" {
		for line := range strings.Lines(cmd.Example) {
			examples = append(examples, "  "+prefix+strings.TrimSpace(line))
		}
	}
	section("Examples", strings.Join(examples, "\n"))
	section("Flags", flagsOf(cmd.LocalNonPersistentFlags()))
	section("Flags of every command", flagsOf(cmd.Root().PersistentFlags()))
	if !cmd.HasParent() {
		out.WriteString("help <command> says more about one of them.\n")
	}
	fmt.Fprint(c.out, strings.TrimRight(out.String(), "\n")+"\n")
}

// flagsOf lists flags in the order in which they were made.
func flagsOf(flags *pflag.FlagSet) string {
	flags.SortFlags = false
	return flags.FlagUsages()
}

func commandsOf(root *cobra.Command) string {
	var out strings.Builder
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			fmt.Fprintf(&out, "  %-12s %s\n", cmd.Name(), cmd.Short)
		}
	}
	return out.String()
}

func (c *command) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Say what a command does",
		Example: "help task",
		Args:    arguments("[command]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			if len(args) == 0 {
				return root.Help()
			}
			for _, known := range root.Commands() {
				if known.Name() == args[0] {
					known.InitDefaultHelpFlag()
					return known.Help()
				}
			}
			return unknown(cmd, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, known := range cmd.Root().Commands() {
					names = append(names, known.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func (c *command) exitCommand() *cobra.Command {
	short := "Leave the prompt; the master runs on"
	if c.mode == modeServing {
		short = "Shut the master down, after one question"
	}
	return &cobra.Command{
		Use:               "exit",
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
