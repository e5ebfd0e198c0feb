package http

import (
	"github.com/danielgtaylor/huma/v2"
)

// about is what the document says of the whole.
const about = `Runs containers on machines that you own. Units: CPU in cores, memory and storage in MiB, GPU in devices, other sizes in bytes, times in UTC, durations Go style (90s).

From nothing to a file: POST /api/auth/register {name, email, password} gives a token; the first account must come from the master's own machine, or with setup_code. Send it as Authorization: Bearer with each call. POST /api/tasks {docker_image, command} gives a task_id; GET /api/tasks/{id}?wait=60s answers when it is over, GET /api/tasks/{id}/logs is what it has printed. What its container left in /output: GET /api/files/{id} lists it, GET /api/files/{id}/content/{path} is one file, GET /api/files/{id}/download all of them.

Refusals are application/problem+json (RFC 9457) and name each bad field at once. Unknown and repeated keys are errors. Replies have X-Request-Id, by which the master's log and the audit log name the request.

Besides these calls there are WebSockets, whose frames are {seq, type, data} with seq from 1 without holes and type snapshot, delta or resync: /ws/telemetry and /ws/telemetry/{worker_id} (as /telemetry), /ws/tasks?limit= ({items, removed}: the newest tasks, then those that are new or have changed, and the ids of those that are gone), /ws/tasks/{task_id}/logs?offset=&tail=&attempt=&stream=&q= (first {attempt, offset}, then one record of the log per frame; it ends with 1000 when the log is complete). Who calls is shown as on any call, or by ?access_token=. A client has nothing to say there but pings and pongs: one that sends more than a few KiB is shut out with 1008, or 1009 for one message over 4 KiB. A user may have 256 open, then 429.`

var tags = []*huma.Tag{
	{Name: "tasks", Description: "What runs, waits and has run."},
	{Name: "logs", Description: "What the containers have printed."},
	{Name: "files", Description: "What the containers have left in /output."},
	{Name: "workers", Description: "The machines that run containers."},
	{Name: "cluster", Description: "All of it together."},
	{Name: "telemetry", Description: "The latest use of the workers."},
	{Name: "auth", Description: "Signing in, and API tokens."},
	{Name: "users", Description: "Accounts; for administrators."},
	{Name: "audit", Description: "Who did what; for administrators."},
	{Name: "service", Description: "Whether the master serves; open to all."},
}

// completeDocument adds what holds for all calls.
func completeDocument(doc *huma.OpenAPI) {
	problem := doc.Components.Schemas.Schema(typeOf[Problem](), true, "Problem")
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if op.Security == nil {
				op.Security = []map[string][]string{} // open, and meant so
			}
			for _, status := range []string{"4XX", "5XX"} {
				op.Responses[status] = &huma.Response{
					Description: "Refused, or failed.", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
				}
			}
			delete(op.Responses, "default")
			for _, p := range op.Parameters {
				if p.Schema != nil {
					p.Schema.PatternDescription = "" // the library's own, for its messages
				}
			}
		}
	}
}

// bearing is a response with bytes of one of these types.
func bearing(description string, types ...string) *huma.Response {
	content := map[string]*huma.MediaType{}
	for _, t := range types {
		content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	return &huma.Response{Description: description, Content: content}
}

// rangeResponses are those of a call that takes ranges and If-None-Match.
func rangeResponses() map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": bearing("The bytes, with the file's own type.", "*/*"),
		"206": bearing("The bytes of one range, or of several as parts.", "*/*"),
		"304": {Description: "It is what If-None-Match names."},
	}
}
