package http

import (
	"context"
	nethttp "net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

func (s *Server) auditRoutes(api huma.API) {
	register(api, accessAdmin, huma.Operation{
		OperationID: "listAudit", Method: nethttp.MethodGet, Path: "/api/audit",
		Summary: "Who did what, the latest first", Tags: []string{"audit"},
		Description: "Every call that changes something, sign-ins and failed ones, and what administrators have looked at that is another's " +
			"(the same thing once in ten minutes). action is the call's operationId; of WebSockets it is watchTasks or watchTaskLog. Entries are never changed; they go at the age that RETENTION_AUDIT names, and an entry, pruneAudit, says which and how many.",
	}, s.listAudit)
}

func (s *Server) listAudit(ctx context.Context, in *struct {
	PageParams
	UserID  string    `query:"user_id" doc:"Who did it."`
	Action  string    `query:"action" doc:"An operationId, such as cancelTask."`
	Target  string    `query:"target" doc:"The id of what it was done to; of a sign-in the email."`
	Outcome string    `query:"outcome" enum:"ok,denied,failed"`
	Since   time.Time `query:"since" doc:"At this time or later."`
	Until   time.Time `query:"until" doc:"Before this time."`
	Strict  StrictQuery
},
) (*listOutput[client.AuditEntry], error) {
	f := cluster.AuditFilter{
		UserID: cluster.UserID(in.UserID), Action: in.Action, Target: in.Target, Outcome: cluster.AuditOutcome(in.Outcome),
		Since: in.Since, Until: in.Until,
	}
	entries, more, err := s.audit.Entries(ctx, caller(ctx), f, in.after.at, in.Limit)
	if err != nil {
		return nil, err
	}
	next := ""
	if more {
		next = encodeCursor("listAudit", place{at: entries[len(entries)-1].Seq})
	}
	return &listOutput[client.AuditEntry]{client.List[client.AuditEntry]{Items: each(entries, auditEntryOf), NextCursor: next}}, nil
}

func auditEntryOf(e cluster.AuditEntry) client.AuditEntry {
	return client.AuditEntry{
		Seq: e.Seq, Time: e.Time.UTC(), UserID: string(e.UserID), Via: e.Via, Action: e.Action, Target: e.Target, Owner: string(e.Owner),
		Detail: e.Detail, Outcome: string(e.Outcome), Status: e.Status, RequestID: e.RequestID, Address: e.Address,
	}
}
