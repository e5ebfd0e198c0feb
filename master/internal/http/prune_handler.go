package http

import (
	"context"
	nethttp "net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/retention"
)

func (s *Server) pruneRoutes(api huma.API) {
	register(api, accessAdmin, huma.Operation{
		OperationID: "prune", Method: nethttp.MethodPost, Path: "/api/cluster/prune",
		Summary: "Remove what is kept of finished tasks", Tags: []string{"cluster"},
		Description: "By age and total size; when nothing is named, what the master's own settings do not keep. The answer comes when it " +
			"is done. With a task goes all that is kept of it. What is being read stays, and so does a task that an active one repeats.",
	}, s.prune)
	withBody[client.PruneRequest](api, nethttp.MethodPost, "/api/cluster/prune")
}

func (s *Server) prune(ctx context.Context, in *BodyInput) (*struct{ Body client.PruneReport }, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.PruneRequest) error {
		_, err := policyOf(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	notePrune(ctx, body)
	policy, err := policyOf(body)
	if err != nil {
		return nil, err
	}
	report, err := s.core.Prune(ctx, caller(ctx), policy, body.DryRun)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.PruneReport }{pruneReportOf(report, body.DryRun)}, nil
}

func notePrune(ctx context.Context, r client.PruneRequest) {
	for _, age := range []struct {
		name string
		is   *string
	}{{"tasks", r.Tasks}, {"logs", r.Logs}, {"files", r.Files}} {
		if age.is != nil {
			noteDetail(ctx, age.name, *age.is)
		}
	}
	if r.Bytes != nil {
		noteDetail(ctx, "bytes", strconv.FormatInt(*r.Bytes, 10))
	}
	if r.DryRun {
		noteDetail(ctx, "dry_run", "true")
	}
}

// policyOf is what the request names; nil when it names nothing.
func policyOf(r client.PruneRequest) (*retention.Policy, error) {
	var bad cluster.InvalidError
	age := func(location string, s *string) *time.Duration {
		if s == nil {
			return nil
		}
		d, err := cluster.ParseAge(*s)
		if err != nil {
			bad.Fields = append(bad.Fields, cluster.FieldError{Location: location, Message: "must be an age like 720h or 30d"})
		}
		return &d
	}
	p := retention.Policy{Tasks: age("tasks", r.Tasks), Logs: age("logs", r.Logs), Files: age("files", r.Files), Bytes: r.Bytes}
	if p.Bytes != nil && *p.Bytes < 0 {
		bad.Fields = append(bad.Fields, cluster.FieldError{Location: "bytes", Message: "must not be negative"})
	}
	if len(bad.Fields) > 0 {
		return nil, &bad
	}
	if p.KeepsAll() {
		return nil, nil
	}
	return &p, nil
}

func pruneReportOf(r coordinator.PruneReport, dry bool) client.PruneReport {
	return client.PruneReport{
		DryRun: dry, Tasks: r.Tasks, Logs: client.PruneCount(r.Logs), Files: client.PruneCount(r.Files), Kept: r.Kept,
	}
}
