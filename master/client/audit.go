package client

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// AuditEntry says who did what.
type AuditEntry struct {
	Seq       int64     `json:"seq" doc:"From 1 without holes."`
	Time      time.Time `json:"time"`
	UserID    string    `json:"user_id,omitempty" doc:"Who; absent when nobody was known."`
	Via       string    `json:"via,omitempty" doc:"By what that was known: socket, sign-in, password, or token and its id."`
	Action    string    `json:"action" doc:"The call's operationId." example:"cancelTask"`
	Target    string    `json:"target,omitempty" doc:"The id of what it was done to; of a sign-in the email."`
	Owner     string    `json:"owner,omitempty" doc:"Whose that is, when it is another's."`
	Detail    string    `json:"detail,omitempty" example:"role=admin"`
	Outcome   string    `json:"outcome" enum:"ok,denied,failed"`
	Status    int       `json:"status" doc:"Of the reply."`
	RequestID string    `json:"request_id" doc:"X-Request-Id of the reply."`
	Address   string    `json:"address,omitempty" doc:"Where it came from; absent for the master's own machine."`
}

// AuditQuery narrows the audit log; zero fields do not.
type AuditQuery struct {
	UserID  string
	Action  string
	Target  string
	Outcome string // ok, denied, failed
	Since   time.Time
	Until   time.Time
}

// Audit gives who did what, the latest first. For administrators.
func (c *Client) Audit(ctx context.Context, q AuditQuery) iter.Seq2[AuditEntry, error] {
	v := url.Values{}
	for name, value := range map[string]string{"user_id": q.UserID, "action": q.Action, "target": q.Target, "outcome": q.Outcome} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			v.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return all[AuditEntry](ctx, c, "/api/audit", v)
}
