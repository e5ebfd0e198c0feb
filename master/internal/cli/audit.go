package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

var auditOutcomes = []string{"ok", "denied", "failed"}

// auditFlags narrow the list.
type auditFlags struct {
	user, action, target, outcome, since, until string
	limit                                       int
}

func (c *command) auditCommand() *cobra.Command {
	f := auditFlags{limit: 50}
	cmd := &cobra.Command{
		Use:   "audit [flags]",
		Short: "Say who did what, the latest first",
		Long: `Lists the audit log: every call that changed something, sign-ins and failed ones,
and what administrators have looked at that is another's. --since and --until take
a time like 2026-01-31T12:00:00Z, a day like 2026-01-31, or how long ago, like 2h
or 30d. For administrators.`,
		Example:           "audit --since 2h\naudit --action login --outcome denied\naudit --by ann@example.org --limit 10",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.audit(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "by", "", "only what this `user` did: an id or an email")
	flags.StringVar(&f.action, "action", "", "only this call of the API, such as cancelTask")
	flags.StringVar(&f.target, "target", "", "only what was done to the task, worker or account with this `id`")
	flags.StringVar(&f.outcome, "outcome", "", "only these: "+strings.Join(auditOutcomes, ", "))
	flags.StringVar(&f.since, "since", "", "done then or later")
	flags.StringVar(&f.until, "until", "", "done before")
	flags.IntVar(&f.limit, "limit", f.limit, "at most so many")
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions(auditOutcomes, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

func (c *command) audit(ctx context.Context, f auditFlags) error {
	q := client.AuditQuery{UserID: f.user, Action: f.action, Target: f.target, Outcome: f.outcome}
	var err error
	if q.Since, err = c.moment(f.since); err != nil {
		return usagef("--since: %v", err)
	}
	if q.Until, err = c.moment(f.until); err != nil {
		return usagef("--until: %v", err)
	}
	if f.outcome != "" && !slices.Contains(auditOutcomes, f.outcome) {
		return usagef("--outcome: %q is none; they are %s", f.outcome, strings.Join(auditOutcomes, " "))
	}
	if f.limit < 1 {
		return usagef("--limit: must be at least 1")
	}
	if strings.Contains(f.user, "@") {
		u, err := userNames().find(c.client.Users(ctx), f.user)
		if err != nil {
			return err
		}
		q.UserID = u.ID
	}
	var entries []client.AuditEntry
	for e, err := range c.client.Audit(ctx, q) {
		if err != nil {
			return err
		}
		if entries = append(entries, e); len(entries) == f.limit {
			break
		}
	}
	if c.asDocument() {
		return c.document(listOf(entries))
	}
	if len(entries) == 0 {
		c.err.line(c.err.paint(dim, "nothing of that kind was done"))
		return nil
	}
	out := table{head: []string{"WHEN", "WHO", "FROM", "ACTION", "TARGET", "OUTCOME", "DETAIL"}}
	for _, e := range entries {
		out.row(cell{c.ago(e.Time), plainly}, cell{orDash(e.UserID), plainly}, cell{fromOf(e), plainly}, cell{e.Action, plainly},
			cell{shorten(orDash(e.Target), longestName), plainly}, outcomeCell(e.Outcome), cell{auditDetail(e), plainly})
	}
	out.print(c.out, "")
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func fromOf(e client.AuditEntry) string {
	if e.Address == "" {
		return "this machine"
	}
	return e.Address
}

func outcomeCell(outcome string) cell {
	if outcome == "ok" {
		return cell{outcome, plainly}
	}
	return cell{outcome, yellow}
}

func auditDetail(e client.AuditEntry) string {
	if e.Owner == "" {
		return e.Detail
	}
	return strings.TrimSpace("of " + e.Owner + " " + e.Detail)
}
