package client

import "context"

// PruneRequest says what of finished tasks is to go; nil: none of that kind. When
// nothing is named, what the master's own settings do not keep.
type PruneRequest struct {
	Tasks  *string `json:"tasks,omitempty" doc:"Tasks that ended so long ago, with all that is kept of them: 720h, 30d." example:"90d"`
	Logs   *string `json:"logs,omitempty" doc:"Logs of tasks that ended so long ago." example:"30d"`
	Files  *string `json:"files,omitempty" doc:"Output files of tasks that ended so long ago." example:"720h"`
	Bytes  *int64  `json:"bytes,omitempty" doc:"Keep logs and output files within so many bytes: those of the tasks that ended first go." minimum:"0"`
	DryRun bool    `json:"dry_run,omitempty" doc:"Only count."`
}

// PruneReport says what has gone, or would go.
type PruneReport struct {
	DryRun bool       `json:"dry_run"`
	Tasks  int        `json:"tasks"`
	Logs   PruneCount `json:"logs" doc:"Those of the tasks that go among them."`
	Files  PruneCount `json:"files" doc:"Those of the tasks that go among them."`
	Kept   int        `json:"kept" doc:"Were due, and stay for now: somebody reads them, or an active task repeats them."`
}

// PruneCount is of how many tasks something goes, and how much.
type PruneCount struct {
	Tasks int   `json:"tasks"`
	Bytes int64 `json:"bytes"`
}

// Prune removes what is kept of finished tasks. For administrators.
func (c *Client) Prune(ctx context.Context, r PruneRequest) (PruneReport, error) {
	return post[PruneReport](ctx, c, "/api/cluster/prune", r)
}
