package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

var roles = []string{"user", "admin"}

func (c *command) usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users [command]",
		Short: "List the accounts; add, change and remove them",
		Long: `Lists the accounts. On the master's machine none is needed; they are for calls
over the network and for the dashboard. A user is named by id, by a unique
beginning of it, or by email.`,
		Example: `users
users add ann@example.org --name Ann
users role ann@example.org admin
users disable bob@example.org`,
		Args: belowOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.users(cmd.Context())
		},
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the accounts", Example: "users list", Args: arguments(), ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.users(cmd.Context()) },
		},
		c.userAddCommand(), c.userDisabledCommand("disable", true), c.userDisabledCommand("enable", false),
		c.userRoleCommand(), c.userResetCommand(), c.userRemoveCommand(),
	)
	return cmd
}

// belowOnly is for commands whose arguments are commands.
func belowOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownName(cmd, args[0])
	}
	return nil
}

func (c *command) users(ctx context.Context) error {
	var all []client.User
	for u, err := range c.client.Users(ctx) {
		if err != nil {
			return err
		}
		all = append(all, u)
	}
	if c.asDocument() {
		return c.document(listOf(all))
	}
	if len(all) == 0 {
		c.err.line(c.err.paint(dim, "there are no accounts; "+c.typed("users add <email>")+" adds one"))
		return nil
	}
	out := table{head: []string{"USER", "EMAIL", "NAME", "ROLE", "STATUS", "FILES", "CREATED"}}
	for _, u := range all {
		status := cell{"enabled", plainly}
		if u.Disabled {
			status = cell{"disabled", yellow}
		}
		files := ""
		if u.Files != nil {
			files = fileUseInWords(*u.Files)
		}
		out.row(cell{u.ID, plainly}, cell{u.Email, plainly}, cell{shorten(u.Name, longestName), plainly}, cell{u.Role, plainly},
			status, cell{files, plainly}, cell{c.ago(u.CreatedAt), plainly})
	}
	out.print(c.out, "")
	return nil
}

func userNames() names[client.User] {
	return names[client.User]{
		one: "user", many: "users", lists: "users",
		id: func(u client.User) string { return u.ID }, other: func(u client.User) string { return u.Email },
	}
}

// aboutUser runs a command on the account that its first argument means.
func (c *command) aboutUser(run func(ctx context.Context, u client.User, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		u, err := userNames().find(c.client.Users(cmd.Context()), args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), u, args[1:])
	}
}

// completeUser completes a user as the first argument.
func (c *command) completeUser(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.connect(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := withPatience(cmd.Context())
	defer cancel()
	return userNames().complete(c.client.Users(ctx), typed)
}

func (c *command) userAddCommand() *cobra.Command {
	var name, role string
	fromStdin := false
	cmd := &cobra.Command{
		Use:   "add <email> [flags]",
		Short: "Add an account",
		Long: `Adds an account and prints its id. The password, of 8 to 128 characters, is
asked for.`,
		Example: `users add ann@example.org --name Ann --role admin
users add bot@example.org --password-stdin <password-file`,
		Args:              arguments("an email"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := client.UserRequest{Email: args[0], Name: name, Role: role}
			if name == "" {
				r.Name, _, _ = strings.Cut(args[0], "@")
			}
			return c.addUser(cmd.Context(), r, fromStdin)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&name, "name", "", "a `name` for people (default what precedes the @)")
	cmd.Flags().StringVar(&role, "role", "user", "user or admin: the `role` decides what the account may do")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

func (c *command) addUser(ctx context.Context, r client.UserRequest, fromStdin bool) (err error) {
	if !slices.Contains(roles, r.Role) {
		return usagef("--role: %q is not a role; they are %s", r.Role, strings.Join(roles, " "))
	}
	if r.Password, err = c.password(ctx, fromStdin); err != nil {
		return err
	}
	u, err := c.client.CreateUser(ctx, r)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(u)
	}
	c.out.line(u.ID)
	c.err.line(c.err.paint(dim, c.err.text(u.Email+" can sign in, with the role "+u.Role)))
	return nil
}

func (c *command) userDisabledCommand(name string, disabled bool) *cobra.Command {
	short, said := "Let an account sign in again", "can sign in again"
	if disabled {
		short, said = "Keep an account from signing in, and end its sign-ins and tokens", "cannot sign in any more; its sign-ins and API tokens have ended"
	}
	return &cobra.Command{
		Use: name + " <user>", Short: short, Example: "users " + name + " bob@example.org",
		Args: arguments("a user"), ValidArgsFunction: c.completeUser,
		RunE: c.aboutUser(func(ctx context.Context, u client.User, _ []string) error {
			return c.changeUser(ctx, u, client.UserChange{Disabled: &disabled}, said)
		}),
	}
}

func (c *command) userRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "role <user> <role>", Short: "Change what an account may do", Example: "users role ann@example.org admin",
		Args: arguments("a user", "a role: "+strings.Join(roles, " or ")),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return roles, cobra.ShellCompDirectiveNoFileComp
			}
			return c.completeUser(cmd, args, typed)
		},
		RunE: c.aboutUser(func(ctx context.Context, u client.User, args []string) error {
			role := args[0]
			if !slices.Contains(roles, role) {
				return usagef("%q is not a role; they are %s", role, strings.Join(roles, " "))
			}
			return c.changeUser(ctx, u, client.UserChange{Role: &role}, "has the role "+role)
		}),
	}
}

func (c *command) userResetCommand() *cobra.Command {
	fromStdin := false
	cmd := &cobra.Command{
		Use: "reset <user> [flags]", Short: "Give an account a new password", Example: "users reset bob@example.org",
		Args: arguments("a user"), ValidArgsFunction: c.completeUser,
		RunE: c.aboutUser(func(ctx context.Context, u client.User, _ []string) error {
			password, err := c.password(ctx, fromStdin)
			if err != nil {
				return err
			}
			return c.changeUser(ctx, u, client.UserChange{Password: &password}, "has the new password; its sign-ins have ended")
		}),
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

// changeUser makes a change and says what became of the account.
func (c *command) changeUser(ctx context.Context, u client.User, change client.UserChange, said string) error {
	u, err := c.client.ChangeUser(ctx, u.ID, change)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(u)
	}
	c.err.linef("%s %s", c.err.cell(u.Email), said)
	return nil
}

func (c *command) userRemoveCommand() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "remove <user> [flags]",
		Short: "Remove an account with its sign-ins and tokens",
		Long: `Removes an account with its sign-ins and API tokens, after a question. Its tasks
and their files stay.`,
		Example:           "users remove bob@example.org\nusers remove bob@example.org --yes",
		Args:              arguments("a user"),
		ValidArgsFunction: c.completeUser,
		RunE: c.aboutUser(func(ctx context.Context, u client.User, _ []string) error {
			if !yes {
				if err := c.confirm(ctx, fmt.Sprintf("Remove %s (%s)?", c.err.cell(u.Email), u.ID)); err != nil {
					return err
				}
			}
			if err := c.client.DeleteUser(ctx, u.ID); err != nil {
				return err
			}
			if c.asDocument() {
				return c.document(u)
			}
			c.err.linef("%s is removed", c.err.cell(u.Email))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
