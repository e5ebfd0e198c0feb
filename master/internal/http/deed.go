package http

import (
	"cmp"
	"context"
	nethttp "net/http"
	"net/mail"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/internal/cluster"
)

// deed is what the audit log is told of a call.
type deed struct {
	action string
	read   bool // changes nothing; noted when it shows what is another's, once in a while
	admins bool // only administrators may
	all    bool // shows administrators everybody's
	signIn bool // or something like it: each try counts
	target string
	task   cluster.TaskID // that it is about
	user   cluster.UserID // who signed in
	detail map[string]string
	done   int // status of the reply when it has taken effect
}

// bulkReads are calls that show an administrator what is everybody's.
var bulkReads = []string{"listTasks", "listFiles", "exportTasks", "listWorkerTasks"}

// signIns are calls that show a password.
var signIns = []string{"register", "login", "changePassword"}

// noteFor makes every call that changes something leave a note in the audit log,
// and those that show others' things: whatever is registered, unless it is
// neither.
func noteFor(op huma.Operation, needs access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		callOf(ctx.Context()).deed = &deed{
			action: op.OperationID, read: op.Method == nethttp.MethodGet, admins: needs == accessAdmin, done: cmp.Or(op.DefaultStatus, nethttp.StatusOK),
			all: slices.Contains(bulkReads, op.OperationID), signIn: slices.Contains(signIns, op.OperationID),
		}
		next(ctx)
	}
}

// noteSocket makes a WebSocket that shows others' things leave a note as it opens;
// about is the task whose it is, or empty where administrators see everybody's.
func noteSocket(ctx context.Context, action string, about cluster.TaskID) {
	callOf(ctx).deed = &deed{action: action, read: true, all: about == "", task: about, target: string(about)}
}

// noteTarget says what a call was about that its path does not name.
func noteTarget(ctx context.Context, id string) {
	if d := callOf(ctx).deed; d != nil && id != "" {
		d.target = id
	}
}

// noteDetail says what a call changes; never a secret.
func noteDetail(ctx context.Context, name, value string) {
	d := callOf(ctx).deed
	if d == nil {
		return
	}
	if d.detail == nil {
		d.detail = map[string]string{}
	}
	d.detail[name] = value
}

// details are in an order that does not depend on who said what first.
func (d *deed) details() string {
	list := make([]string, 0, len(d.detail))
	for name, value := range d.detail {
		if value != "" {
			name += "=" + value
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// noteSignIn says who signed in, or under which email somebody tried. What is no
// email may be a password in the wrong field.
func noteSignIn(ctx context.Context, email string, user cluster.UserID) {
	d := callOf(ctx).deed
	if d == nil {
		return
	}
	d.user, d.target = user, "(not an email)"
	if a, err := mail.ParseAddress(email); err == nil && a.Address == email {
		d.target = email
	}
}

// notePatience is how long a reply waits for its note.
const notePatience = 10 * time.Second

// note tells the audit log of a call before its reply begins, unless that was
// stored with the call's effect.
func (s *Server) note(ctx context.Context, c *call, status int, reply nethttp.Header) {
	if s.audit == nil || c.deed == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
	defer cancel()
	d := c.deed
	outcome, worth := outcomeOf(d, status)
	if outcome == cluster.AuditOK && c.effect.Stored {
		s.audit.CatchUp(ctx)
		return
	}
	if !worth {
		return
	}
	e := c.entry(status, outcome)
	if d.user != "" {
		e.UserID, e.Via = d.user, "password"
	}
	if e.Target == "" {
		if location := reply.Get("Location"); location != "" {
			e.Target = plain(path.Base(location))
		}
	}
	if d.task != "" && c.who.Admin() {
		if v, err := s.core.Task(ctx, c.who.Principal, d.task); err == nil {
			e.Owner = c.notOwn(v.UserID)
		}
	}
	if !d.read {
		_ = s.audit.Did(ctx, e) // the audit log tells of its own trouble
		return
	}
	if d.admins || c.who.Admin() && (d.all || e.Owner != "") {
		_ = s.audit.Read(ctx, e) // as above
	}
}

// entry is what the audit log is told when the reply has this status.
func (c *call) entry(status int, outcome cluster.AuditOutcome) cluster.AuditEntry {
	return cluster.AuditEntry{
		UserID: c.who.UserID, Via: viaOf(c), Action: c.deed.action, Target: plain(c.deed.target), Detail: plain(c.deed.details()),
		Outcome: outcome, Status: status, RequestID: c.id, Address: c.address,
	}
}

// notOwn is whose something is when it is another's, and this is an administrator.
func (c *call) notOwn(owner cluster.UserID) cluster.UserID {
	if !c.who.Admin() || owner == c.who.UserID {
		return ""
	}
	return owner
}

// signWith makes the entry that is stored with the effect of the call.
func (s *Server) signWith(c *call) func(cluster.TaskID, cluster.UserID) cluster.AuditEntry {
	return func(about cluster.TaskID, owner cluster.UserID) cluster.AuditEntry {
		e := c.entry(c.deed.done, cluster.AuditOK)
		e.Target, e.Owner = cmp.Or(e.Target, string(about)), c.notOwn(owner)
		return s.audit.Stamped(e)
	}
}

// outcomeOf says what became of a call, and whether that is worth a note: what
// was not understood has done nothing, and who may not look has seen nothing.
func outcomeOf(d *deed, status int) (outcome cluster.AuditOutcome, worth bool) {
	switch {
	case status < 400:
		return cluster.AuditOK, true
	case d.read:
		return "", false
	case status == 401, status == 403, status == 404:
		return cluster.AuditDenied, true
	case status == 400, status == 413, status == 415:
		return "", false
	case status == 422, status == 429:
		return cluster.AuditDenied, d.signIn
	}
	return cluster.AuditFailed, true
}

// viaOf is by what the caller is known.
func viaOf(c *call) string {
	switch {
	case c.who.UserID == "":
		return ""
	case c.who.Token != "":
		return "token " + c.who.Token
	case c.who.credential == "":
		return "socket"
	}
	return "sign-in"
}

// plain bounds what callers have written, and keeps it from driving a terminal.
func plain(text string) string {
	const longest = 300
	text = strings.ToValidUTF8(text, "�")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '�'
		}
		return r
	}, text)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
