package cluster

import (
	"context"
	"time"
)

// AuditEntry says who did what: one line of a log to which lines are only added.
// There is no secret in it.
type AuditEntry struct {
	Seq    int64 // given by the store: from 1 on, without holes
	Time   time.Time
	UserID UserID // who; empty: nobody was known
	Via    string // by what that was known: "socket", "sign-in", "token <id>"
	Action string // the call of the API, by its operation's id
	Target string // the id of what it was done to; of a sign-in the email that was given
	Owner  UserID // whose that is, when it is another's
	// Detail is what of it was changed, in words; never a secret.
	Detail    string
	Outcome   AuditOutcome
	Status    int    // of the reply
	RequestID string // as in the reply and the log
	Address   string // where it came from; empty: the master's own machine
}

// AuditOutcome is what became of it.
type AuditOutcome string

// The outcomes.
const (
	AuditOK     AuditOutcome = "ok"
	AuditDenied AuditOutcome = "denied" // the caller may not, or what it names is not there for the caller
	AuditFailed AuditOutcome = "failed" // for any other reason
)

// Deed is the entry of a call that is under way, for whoever stores the call's
// effect to store it with that: there is never one without the other. It is used
// by one goroutine.
type Deed struct {
	// Entry makes the entry as it is once the call has taken effect. about is the
	// task that this was done to, owner whose it is; empty: none in particular.
	Entry  func(about TaskID, owner UserID) AuditEntry
	Stored bool // with the effect: nobody else has to
}

type deedKey struct{}

// WithDeed lets the calls made with the context store its entry.
func WithDeed(ctx context.Context, d *Deed) context.Context {
	return context.WithValue(ctx, deedKey{}, d)
}

// DeedOf is the context's; nil: nothing is to be noted.
func DeedOf(ctx context.Context) *Deed {
	d, _ := ctx.Value(deedKey{}).(*Deed)
	return d
}

// AuditFilter narrows a list of entries; zero fields do not.
type AuditFilter struct {
	UserID  UserID
	Action  string
	Target  string
	Outcome AuditOutcome
	Since   time.Time // at this time or later
	Until   time.Time // before this time
}

// Matches reports whether the filter lets the entry through.
func (f AuditFilter) Matches(e *AuditEntry) bool {
	return (f.UserID == "" || e.UserID == f.UserID) &&
		(f.Action == "" || e.Action == f.Action) &&
		(f.Target == "" || e.Target == f.Target) &&
		(f.Outcome == "" || e.Outcome == f.Outcome) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until))
}
