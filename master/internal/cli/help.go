package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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
	return strings.Join(append(pathOf(cmd.Parent()), cmd.Use), " ")
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
		prefix = onceBegin
	}
	section := func(title, body string) {
		if body = strings.TrimRight(body, "\n "); body != "" {
			fmt.Fprintf(&out, "%s\n%s\n\n", c.out.paint(bold, title), body)
		}
	}
	section("Usage", "  "+prefix+usageOf(cmd))
	section("Commands", commandsOf(cmd))
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

// commandsOf lists the commands below one.
func commandsOf(parent *cobra.Command) string {
	var out strings.Builder
	for _, cmd := range parent.Commands() {
		if listed(cmd) {
			fmt.Fprintf(&out, "  %-12s %s\n", cmd.Name(), cmd.Short)
		}
	}
	return out.String()
}

func (c *command) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Say what a command does",
		Example: "help task\nhelp users add",
		Args:    arguments("[command...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				next := below(about, name)
				if next == nil {
					return unknownName(about, name)
				}
				about = next
			}
			if about.HasParent() {
				about.InitDefaultHelpFlag()
			}
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about := cmd.Root()
			for _, name := range args {
				if about = below(about, name); about == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}
			return namesBelow(about), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// below is the command of that name below the parent; nil when there is none.
func below(parent *cobra.Command, name string) *cobra.Command {
	for _, cmd := range parent.Commands() {
		if cmd.Name() == name {
			return cmd
		}
	}
	return nil
}

func namesBelow(parent *cobra.Command) []string {
	var names []string
	for _, cmd := range parent.Commands() {
		if listed(cmd) {
			names = append(names, cmd.Name())
		}
	}
	return names
}

// listed reports whether a command is for people: that which completes lines for
// shells is not.
func listed(cmd *cobra.Command) bool { return cmd.IsAvailableCommand() || cmd.Name() == "help" }
