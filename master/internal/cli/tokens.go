package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

var scopes = []string{"read", "submit", "admin", "agent"}

type tokenFlags struct {
	scope, expires string
}

func (c *command) tokenCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "token [name] [flags]",
		Short: "Make an API token; list and remove them",
		Long: `Makes an API token for programs and for bin/master cli --server, and prints the
secret, which is not shown again. The scopes say what it may do: read, submit
(tasks of one's own), admin (everyone's tasks, workers, users), agent (place
tasks as a scheduling agent). Without a name it lists the tokens.`,
		Example: `token ci --scope read,submit --expires 720h
token list
token remove 4f2c`,
		Args:              tokenArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.request(cmd)
			switch {
			case err != nil:
				return err
			case len(args) > 0:
				r.Name = args[0]
				return c.makeToken(cmd.Context(), r)
			case cmd.Flags().Changed("scope"), cmd.Flags().Changed("expires"):
				return usagef("--scope and --expires are for a new token, which needs a name\n%s", seeHelp(cmd))
			}
			return c.listTokens(cmd.Context(), true)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.scope, "scope", "read,submit", "what it may do: `scopes` with commas between")
	cmd.Flags().StringVar(&f.expires, "expires", "", "`duration` from now, such as 720h (default never)")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(scopes, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the tokens", Example: "token list", Args: arguments(), ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context(), false) },
		},
		c.tokenRemoveCommand(),
	)
	return cmd
}

// tokenArgs takes a name, but not one that is likely a command with a typo.
func tokenArgs(cmd *cobra.Command, args []string) error {
	if err := arguments("[name]")(cmd, args); err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "" {
		return usagef("an empty name of a token")
	}
	if len(args) == 1 && cmd.ArgsLenAtDash() < 0 {
		if near := nearNames(cmd, args[0]); len(near) > 0 {
			return usagef("did you mean %s? A token of that name is made by token -- %s", strings.Join(near, " or "), quote(args))
		}
	}
	return nil
}

// request is what the flags ask for, without a name.
func (f tokenFlags) request(cmd *cobra.Command) (client.TokenRequest, error) {
	r := client.TokenRequest{ExpiresIn: f.expires}
	for scope := range strings.SplitSeq(f.scope, ",") {
		if scope = strings.TrimSpace(scope); !slices.Contains(scopes, scope) {
			return r, usagef("--scope: %q is not a scope; they are %s", scope, strings.Join(scopes, " "))
		}
		r.Scopes = append(r.Scopes, scope)
	}
	if cmd.Flags().Changed("expires") {
		if err := parseDuration(f.expires); err != nil {
			return r, usagef("--expires: %v", err)
		}
		if d, _ := time.ParseDuration(f.expires); d <= 0 {
			return r, usagef("--expires: must be longer than zero; leave it out for never")
		}
	}
	return r, nil
}

func (c *command) makeToken(ctx context.Context, r client.TokenRequest) error {
	t, err := c.client.CreateAPIToken(ctx, r)
	if err != nil {
		return inWordsOf(err, map[string]string{"name": "the token's name"})
	}
	if c.asDocument() {
		return c.document(t)
	}
	c.out.line(t.Secret)
	ends := "does not expire"
	if t.ExpiresAt != nil {
		ends = "expires " + c.date(*t.ExpiresAt)
	}
	c.err.line(c.err.paint(dim, c.err.text("token "+t.ID+" "+t.Name+" may "+strings.Join(t.Scopes, ", ")+" and "+ends+"; its secret is not shown again")))
	c.err.line(c.err.paint(dim, "use it as CLOUDAI_TOKEN with --server, or in the header Authorization: Bearer"))
	return nil
}

// listTokens lists them; how says also how to make one.
func (c *command) listTokens(ctx context.Context, how bool) error {
	var all []client.APIToken
	for t, err := range c.client.APITokens(ctx) {
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	if c.asDocument() {
		return c.document(listOf(all))
	}
	if len(all) > 0 {
		c.tokenTable(all)
	} else {
		c.err.line(c.err.paint(dim, "there are no tokens"))
	}
	if how || len(all) == 0 {
		c.err.line(c.err.paint(dim, c.typed("token ci --scope read,submit --expires 720h")+" makes one"))
	}
	return nil
}

func (c *command) tokenTable(all []client.APIToken) {
	out := table{head: []string{"TOKEN", "NAME", "SCOPES", "EXPIRES", "CREATED", "LAST USED"}}
	for _, t := range all {
		expires, used := cell{"never", plainly}, "not yet"
		if t.ExpiresAt != nil {
			expires.text = c.date(*t.ExpiresAt)
			if t.ExpiresAt.Before(c.now()) {
				expires = cell{"expired", yellow}
			}
		}
		if t.LastUsedAt != nil {
			used = c.ago(*t.LastUsedAt)
		}
		out.row(cell{t.ID, plainly}, cell{shorten(t.Name, longestName), plainly}, cell{strings.Join(t.Scopes, ","), plainly},
			expires, cell{c.ago(t.CreatedAt), plainly}, cell{used, plainly})
	}
	out.print(c.out, "")
}

func tokenNames() names[client.APIToken] {
	return names[client.APIToken]{one: "token", many: "tokens", lists: "token list", id: func(t client.APIToken) string { return t.ID }}
}

func (c *command) tokenRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove <token>", Short: "Remove a token; what uses it is refused from then on", Example: "token remove 4f2c",
		Args: arguments("a token"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 || c.connect(cmd) != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			ctx, cancel := withPatience(cmd.Context())
			defer cancel()
			return tokenNames().complete(c.client.APITokens(ctx), typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			t, err := tokenNames().find(c.client.APITokens(ctx), args[0])
			if err != nil {
				return err
			}
			if err := c.client.DeleteAPIToken(ctx, t.ID); err != nil {
				return err
			}
			if c.asDocument() {
				return c.document(t)
			}
			c.err.linef("token %s %s is removed", t.ID, c.err.cell(t.Name))
			return nil
		},
	}
}
