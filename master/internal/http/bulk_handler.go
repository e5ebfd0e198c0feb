package http

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	nethttp "net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// What a batch's body may be, and how long it may take to come.
const (
	maxBatchBody = 64 << 20
	batchTimeout = 5 * time.Minute
)

func (s *Server) bulkRoutes(api huma.API) {
	register(api, accessSubmit, huma.Operation{
		OperationID: "submitBatch", Method: nethttp.MethodPost, Path: "/api/tasks/batch",
		Summary: "Submit up to 10,000 tasks at once", Tags: []string{"tasks"},
		MaxBodyBytes: maxBatchBody + 1, BodyReadTimeout: batchTimeout,
		Description: "With atomic, one task that is wrong refuses all of them; without it the others are taken, unless none is right. The " +
			"items of the reply stand in the order of the request: each has the id of its task, or what is wrong with it (of many " +
			"faults at least the first). A task may be 1 MiB beside the content of its inputs, all together 64 MiB and 2,000,000 " +
			"values. The tasks that have an id survive a power cut. With Idempotency-Key the request may be repeated: the repeat also completes what a " +
			"crash has cut off, under the same ids.",
	}, s.submitBatch)
	withBody[client.BatchRequest](api, nethttp.MethodPost, "/api/tasks/batch")
	register(api, accessSubmit, huma.Operation{
		OperationID: "cancelTasks", Method: nethttp.MethodPost, Path: "/api/tasks/cancel",
		Summary: "Cancel many tasks", Tags: []string{"tasks"},
		Description: "Those of one's own tasks, for admins of everyone's, that the filter takes and that are not over. With dry_run they are " +
			"only counted. With Idempotency-Key the request may be repeated: it gets the first reply again and stops nothing that came " +
			"after it, also when there was nothing to stop. When the first was cut off, the repeat stops what that one meant, and " +
			"counts all of it.",
	}, s.cancelTasks)
	withBody[client.CancelRequest](api, nethttp.MethodPost, "/api/tasks/cancel")
}

type bulkInput struct {
	OnceParam
	RawBody []byte
	Strict  StrictQuery
}

func (s *Server) submitBatch(ctx context.Context, in *bulkInput) (*struct{ Body client.BatchReply }, error) {
	body, err := decodeBatch(in.RawBody, in.Key != "", s.batchValues)
	if err != nil {
		return nil, err
	}
	in.RawBody = nil // what was read of it is enough
	items, kept, err := s.core.SubmitBatch(ctx, caller(ctx), body.entries, body.atomic, named(&in.OnceParam, body.print, batchReply,
		func(items []coordinator.BatchItem) { noteBatch(ctx, items) }))
	out, err := repliedTo(items, kept, err, batchReply)
	if err == nil {
		noteCount(ctx, "accepted", out.Body.Accepted)
		noteCount(ctx, "rejected", out.Body.Rejected)
	}
	return out, err
}

// noteBatch says what becomes of a batch.
func noteBatch(ctx context.Context, items []coordinator.BatchItem) {
	accepted := 0
	for _, item := range items {
		if item.ID != "" {
			accepted++
		}
	}
	noteCount(ctx, "accepted", accepted)
	noteCount(ctx, "rejected", len(items)-accepted)
}

func batchReply(items []coordinator.BatchItem) client.BatchReply {
	out := client.BatchReply{Items: make([]client.BatchItem, len(items))}
	for i, item := range items {
		if item.ID != "" {
			out.Accepted++
			out.Items[i].TaskID = string(item.ID)
			continue
		}
		out.Rejected++
		out.Items[i].Errors = each(item.Faults, func(f cluster.FieldError) client.FieldError { return client.FieldError(f) })
	}
	return out
}

func (s *Server) cancelTasks(ctx context.Context, in *bulkInput) (*struct{ Body client.CancelReply }, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.CancelRequest) error {
		_, err := cancelOf(b, emptyFilters(in.RawBody))
		return err
	})
	if err != nil {
		return nil, err
	}
	noteCancel(ctx, body)
	request, err := cancelOf(body, emptyFilters(in.RawBody))
	if err != nil {
		return nil, err
	}
	reply := func(r coordinator.CancelReport) client.CancelReply {
		return client.CancelReply{DryRun: body.DryRun, Matched: r.Matched, Cancelled: r.Cancelled, Requested: r.Requested}
	}
	report, kept, err := s.core.CancelTasks(ctx, caller(ctx), request, named(&in.OnceParam, in.print(body), reply, func(r coordinator.CancelReport) {
		noteCount(ctx, "cancelled", r.Cancelled)
		noteCount(ctx, "requested", r.Requested)
	}))
	out, err := repliedTo(report, kept, err, reply)
	if err == nil {
		noteCount(ctx, "cancelled", out.Body.Cancelled)
		noteCount(ctx, "requested", out.Body.Requested)
	}
	return out, err
}

func noteCount(ctx context.Context, name string, n int) { noteDetail(ctx, name, strconv.Itoa(n)) }

// noteCancel says which tasks are meant.
func noteCancel(ctx context.Context, r client.CancelRequest) {
	if r.DryRun {
		noteDetail(ctx, "dry_run", "true")
	}
	f := r.Filter
	if f == nil {
		return
	}
	labels := slices.Clone(f.Label)
	for name, value := range f.Labels {
		labels = append(labels, name+"="+value)
	}
	slices.Sort(labels)
	for name, value := range map[string]string{
		"task_ids": strings.Join(f.TaskIDs, " "), "status": strings.Join(f.Status, " "), "labels": strings.Join(labels, " "),
		"user_id": f.UserID, "worker_id": f.WorkerID, "name": f.Name, "q": f.Q, "since": f.Since, "until": f.Until,
	} {
		if value != "" {
			noteDetail(ctx, name, value)
		}
	}
}

// maxNamed is how many tasks one request may name.
const maxNamed = 1000

// emptyFilters are the fields of a body's filter that are there and narrow
// nothing. Who sends an empty list of ids means no task, not every one.
func emptyFilters(raw []byte) (faults []cluster.FieldError) {
	var body struct {
		Filter map[string]json.RawMessage `json:"filter"`
	}
	if json.Unmarshal(raw, &body) != nil {
		return nil // it has been decoded, and refused if it had to be
	}
	for _, name := range slices.Sorted(maps.Keys(body.Filter)) {
		var value any
		_ = json.Unmarshal(body.Filter[name], &value) // it is JSON
		if v := reflect.ValueOf(value); v.IsValid() && v.Kind() != reflect.Bool && v.Kind() != reflect.Float64 && v.Len() == 0 {
			faults = append(faults, cluster.FieldError{Location: "filter." + name, Message: "is empty; leave it out"})
		}
	}
	return faults
}

// cancelOf turns the wire's request into the core's; faults are what is known to
// be wrong with it.
func cancelOf(r client.CancelRequest, faults []cluster.FieldError) (coordinator.CancelRequest, error) {
	bad := cluster.InvalidError{Fields: faults}
	fault := func(location, message string) {
		whole, _, _ := strings.Cut(location, "[")
		if slices.ContainsFunc(faults, func(f cluster.FieldError) bool { return f.Location == whole }) {
			return // it is empty, which is said already
		}
		bad.Fields = append(bad.Fields, cluster.FieldError{Location: location, Message: message})
	}
	out := coordinator.CancelRequest{Dry: r.DryRun}
	f := r.Filter
	if f == nil {
		return out, cluster.Invalid("filter", "is required; {} takes every task that you may cancel")
	}
	if len(f.TaskIDs) > maxNamed {
		fault("filter.task_ids", fmt.Sprintf("must be at most %d", maxNamed))
	}
	labels := labelsOf(f, fault)
	if len(f.TaskIDs) > 0 && f.Narrows() {
		fault("filter.task_ids", "cannot go with other fields")
	}
	for _, id := range f.TaskIDs {
		out.IDs = append(out.IDs, cluster.TaskID(id))
	}
	out.Filter = cluster.TaskFilter{
		WorkerID: cluster.WorkerID(f.WorkerID), UserID: cluster.UserID(f.UserID), NamePrefix: f.Name, Labels: labels,
		Text: f.Q, Since: instant(fault, "filter.since", f.Since), Until: instant(fault, "filter.until", f.Until),
	}
	for i, names := range f.Status {
		for name := range strings.SplitSeq(names, ",") {
			status := cluster.Status(strings.TrimSpace(name))
			if !slices.Contains(cluster.Statuses, status) {
				fault(fmt.Sprintf("filter.status[%d]", i), "must be one of queued, assigned, running, succeeded, failed, cancelled")
				break
			}
			out.Filter.Statuses = append(out.Filter.Statuses, status)
		}
	}
	for location, text := range map[string]string{
		"filter.worker_id": f.WorkerID, "filter.user_id": f.UserID, "filter.name": f.Name, "filter.q": f.Q,
	} {
		if unreadable(text) {
			fault(location, "must not have control characters")
		}
	}
	if len(bad.Fields) > 0 {
		return out, &bad
	}
	return out, nil
}

// labelsOf are the labels of a filter, in whichever way they are written.
func labelsOf(f *client.CancelFilter, fault func(location, message string)) map[string]string {
	labels := maps.Clone(f.Labels)
	for i, label := range f.Label {
		here := fmt.Sprintf("filter.label[%d]", i)
		name, value, ok := strings.Cut(label, "=")
		if have, twice := labels[name]; twice && have != value {
			fault(here, "is asked for with another value too; no task has both")
			continue
		}
		if !ok || name == "" {
			fault(here, "must be name=value")
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = value
	}
	if len(f.Labels) > cluster.MaxLabels {
		fault("filter.labels", tooManyLabels)
	} else if len(labels) > cluster.MaxLabels {
		fault("filter.label", tooManyLabels)
	}
	return labels
}

// instant reads a time; empty is none.
func instant(fault func(location, message string), location, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		fault(location, "must be a time such as 2026-01-02T03:04:05Z")
	}
	return at
}
