package arch

import (
	"slices"
	"testing"

	"cloudai/proto/importrule"
)

const (
	pb   = "cloudai/proto/pb/..."
	grpc = "google.golang.org/grpc/..."
)

// rules is the house, from the roof down, and then what single rooms may not do.
var rules = slices.Concat(
	importrule.Layers("an arrow may be drawn only downwards, and neighbors do not know each other",
		[]string{"."},
		[]string{"internal/cli/..."},
		[]string{"internal/http/...", "internal/server/..."},
		[]string{"internal/coordinator/...", "internal/accounts/...", "internal/audit", "internal/metrics", "internal/history", "internal/upkeep/..."},
		[]string{
			"internal/scheduler/...", "internal/queue/...", "internal/db/...", "internal/events/...",
			"internal/telemetry/...", "internal/auth/...", "internal/logs/...", "internal/storage/...",
			"internal/workerconn/...", "internal/retention/...", "internal/throttle",
		},
		[]string{"internal/cluster"},
	),
	[]importrule.Rule{
		{
			From:   []string{"internal/cluster"},
			Forbid: []string{"..."},
			Allow:  []string{"std"},
			Why:    "the domain knows nobody; protobuf, SQL and JSON shapes are converted at the edge that needs them",
		},
		{
			From:   []string{"internal/cluster", "internal/scheduler/...", "internal/queue/...", "internal/retention/..."},
			Forbid: []string{"os/...", "net/...", "sync/...", "database/...", "log/..."},
			Why:    "decisions are pure: no I/O, no locks, no log",
		},
		{
			From:   []string{"internal/scheduler/...", "internal/queue/..."},
			Forbid: []string{"..."},
			Allow:  []string{"std", "./internal/cluster", "./internal/scheduler/...", "./internal/queue/..."},
			Why:    "placing and ordering need the domain and nothing else",
		},
		{
			From:   []string{"internal/retention/..."},
			Forbid: []string{"..."},
			Allow:  []string{"std", "./internal/cluster"},
			Why:    "what may go is decided from the tasks alone; who carries it out asks store and disks",
		},
		{
			From:   []string{"internal/cli/..."},
			Forbid: []string{"./..."},
			Allow:  []string{"./client/...", "./internal/cli/..."},
			Why:    "the prompt knows only the API, like any other client",
		},
		{
			From:   []string{"client/..."},
			Forbid: []string{"./..."},
			Allow:  []string{"./client/..."},
			Why:    "the client speaks the API as it is on the wire; what others can import must not lean on internals",
		},
		{
			From:   []string{"internal/http/...", "internal/server/..."},
			Forbid: []string{"./internal/db/...", "./internal/queue/...", "./internal/scheduler/...", "./internal/workerconn/..."},
			Why:    "edges decode, call the coordinator and encode; it is the sole writer and decides",
		},
		{
			From:   []string{"internal/coordinator/..."},
			Forbid: []string{"./internal/workerconn/...", pb, grpc, "net/...", "database/...", "os/..."},
			Why:    "the core speaks in its own types through interfaces that it declares; wires and disks are other rooms",
		},
		{
			From:   []string{"internal/accounts/..."},
			Forbid: []string{"./internal/logs/...", "./internal/storage/...", "./internal/workerconn/...", "./internal/queue/...", "./internal/scheduler/...", "net/http/...", "database/...", "os/..."},
			Why:    "who people are has nothing to do with what they run, nor with how they call",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/metrics"},
			Forbid: []string{"./internal/metrics", "github.com/prometheus/..."},
			Why:    "names of metrics stand in one place; who has something to tell is given a function",
		},
		{
			From:   []string{"internal/audit"},
			Forbid: []string{"..."},
			Allow:  []string{"std", "./internal/cluster", "./internal/db", "./internal/throttle"},
			Why:    "who did what is kept as it is told",
		},
		{
			From:   []string{"internal/upkeep/..."},
			Forbid: []string{"./internal/workerconn/...", "./internal/queue/...", "./internal/scheduler/...", "net/...", "database/..."},
			Why:    "upkeep handles files and stores as they are; it runs no task and asks no master",
		},
		{
			From:   []string{"internal/auth/...", "internal/telemetry/..."},
			Forbid: []string{"./internal/db/...", "net/...", "os/...", "database/..."},
			Why:    "they compute and keep nothing: no store, no wire",
		},
		{
			From:   []string{"internal/..."},
			Except: []string{"internal/server/...", "internal/workerconn/..."},
			Forbid: []string{pb, grpc},
			Why:    "only the two ends of the wire to workers know protobuf and gRPC",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/db/embedded/..."},
			Forbid: []string{"./internal/db/embedded/...", "database/sql/...", "modernc.org/..."},
			Why:    "only main chooses the backend; SQL stays inside the embedded one",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/db/mongodb/...", "e2e/..."},
			Forbid: []string{"./internal/db/mongodb/...", "go.mongodb.org/..."},
			Why:    "only main chooses the backend; BSON stays inside the MongoDB one",
		},
		{
			From:   []string{"internal/db/document", "internal/db/dirlock", "internal/db/groupcommit"},
			Forbid: []string{"..."},
			Allow:  []string{"std", "./internal/db", "./internal/cluster"},
			Why:    "what the backends share knows none of them",
		},
		{
			From:   []string{"..."},
			Except: []string{"e2e/...", "internal/db/mongodb/mongotest"},
			Forbid: []string{"./internal/db/mongodb/mongotest", "./internal/freeport"},
			Why:    "servers that stand for a MongoDB, and addresses for what tests start, belong to tests",
		},
		{
			From:   []string{"..."},
			Except: []string{"internal/db/storetest/...", "internal/db/faultstore/..."},
			Forbid: []string{"./internal/db/storetest/...", "./internal/db/faultstore/..."},
			Why:    "suites and fault injection belong to tests",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/config/..."},
			Forbid: []string{"./internal/config/..."},
			Why:    "main reads the configuration and hands each part its own by value",
		},
		{
			From:   []string{"internal/dashboard"},
			Forbid: []string{"..."},
			Allow:  []string{"std"},
			Why:    "it hands out files that were built in; what they show comes over the API",
		},
		{
			From:   []string{"..."},
			Except: []string{"."},
			Forbid: []string{"./internal/dashboard"},
			Why:    "main gives the edge its pages, so that tests of the edge need none",
		},
		{
			From:   []string{"internal/config/...", "internal/system/...", "internal/crowd", "internal/throttle", "internal/freeport", "internal/arch"},
			Forbid: []string{"./..."},
			Allow:  []string{"./internal/cluster"},
			Why:    "what only main or everybody uses must not pull rooms in behind it",
		},
		{
			From:   []string{"..."},
			Forbid: []string{"cloudai/worker/..."},
			Why:    "the worker is another program; only the model of the whole cluster, a test, runs its agents",
		},
		{
			From:   []string{"..."},
			Except: []string{"e2e/...", "internal/db/storetest/..."},
			Forbid: []string{"./e2e/...", "testing/...", "net/http/httptest"},
			Why:    "test code has no place in the binary",
		},
	},
)

func TestImportDirections(t *testing.T) {
	graph, err := importrule.Read("../..", "cloudai/master")
	if err != nil {
		t.Fatal(err)
	}
	if len(graph["internal/cluster"]) == 0 {
		t.Fatal("the reader found no imports in internal/cluster; is the module's root elsewhere?")
	}
	for _, fault := range importrule.Check(graph, rules) {
		t.Error(fault)
	}
}

// Each forbidden edge is tried once on a made-up graph: a rule that lost its
// teeth fails here.
func TestRulesBite(t *testing.T) {
	tests := []struct{ pkg, imported string }{
		{"internal/cluster", "./internal/queue"},
		{"internal/cluster", "github.com/google/uuid"},
		{"internal/cluster", "cloudai/proto/pb"},
		{"internal/cluster", "os"},
		{"internal/retention", "./internal/db"},
		{"internal/retention", "os"},
		{"internal/retention", "github.com/google/uuid"},
		{"internal/queue", "./internal/scheduler"},
		{"internal/queue", "sync"},
		{"internal/scheduler", "./internal/db"},
		{"internal/scheduler", "github.com/google/uuid"},
		{"internal/scheduler", "log/slog"},
		{"internal/db", "./internal/coordinator"},
		{"internal/events", "./internal/storage"},
		{"internal/coordinator", "./internal/http"},
		{"internal/coordinator", "./internal/accounts"},
		{"internal/accounts", "./internal/coordinator"},
		{"internal/accounts", "./internal/storage"},
		{"internal/upkeep", "./internal/coordinator"},
		{"internal/upkeep", "./internal/db/embedded"},
		{"internal/upkeep", "net/http"},
		{"internal/auth", "./internal/db"},
		{"internal/server", "./internal/cli"},
		{"internal/coordinator", "./internal/workerconn"},
		{"internal/coordinator", "./internal/db/embedded"},
		{"internal/coordinator", "./internal/config"},
		{"internal/coordinator", "google.golang.org/grpc/codes"},
		{"internal/http", "./internal/server"},
		{"internal/server", "./internal/http"},
		{"internal/http", "./internal/db"},
		{"internal/server", "./internal/db/embedded"},
		{"internal/http", "cloudai/proto/pb"},
		{"internal/http", "./internal/cli"},
		{"internal/cli", "./internal/coordinator"},
		{"internal/cli", "./internal/cluster"},
		{"internal/cli", "./internal/http"},
		{"client", "./internal/cluster"},
		{"internal/storage", "./internal/db/mongodb"},
		{"internal/db/storetest", "./internal/db/embedded"},
		{"internal/db/document", "./internal/db/embedded"},
		{"internal/db/dirlock", "./internal/db/document"},
		{"internal/db/groupcommit", "./internal/db/document"},
		{"internal/db/embedded", "./internal/db/mongodb"},
		{"internal/coordinator", "go.mongodb.org/mongo-driver/v2/bson"},
		{".", "./internal/db/mongodb/mongotest"},
		{"internal/logs", "database/sql"},
		{"internal/telemetry", "./e2e"},
		{"internal/config", "./internal/auth"},
		{".", "./internal/db/storetest"},
		{".", "./e2e"},
		{".", "cloudai/worker/simulation"},
		{"internal/coordinator", "cloudai/worker/simulation"},
		{"internal/db/faultstore", "testing"},
		{"internal/server", "./."},
	}
	for _, test := range tests {
		if faults := importrule.Check(importrule.Graph{test.pkg: {test.imported}}, rules); len(faults) == 0 {
			t.Errorf("%s may import %s", test.pkg, test.imported)
		}
	}
}

func TestRulesAllow(t *testing.T) {
	graph := importrule.Graph{
		".":                     {"./internal/config", "./internal/db/embedded", "./internal/http", "./internal/cli", "./internal/cluster", "google.golang.org/grpc", "os"},
		"internal/cli":          {"./client", "github.com/spf13/cobra", "net/http"},
		"internal/http":         {"./internal/coordinator", "./internal/accounts", "./internal/auth", "./internal/events", "./internal/cluster", "net/http"},
		"internal/server":       {"./internal/coordinator", "./internal/cluster", "cloudai/proto/pb", "google.golang.org/grpc/status"},
		"internal/accounts":     {"./internal/auth", "./internal/db", "./internal/cluster", "net/mail"},
		"internal/coordinator":  {"./internal/scheduler", "./internal/telemetry", "./internal/queue", "./internal/db", "./internal/cluster", "log/slog", "sync"},
		"internal/workerconn":   {"./internal/cluster", "cloudai/proto/pb", "cloudai/proto/transport", "google.golang.org/grpc"},
		"internal/db/embedded":  {"./internal/db", "./internal/db/document", "./internal/db/dirlock", "./internal/cluster", "modernc.org/sqlite", "database/sql"},
		"internal/db/mongodb":   {"./internal/db", "./internal/db/document", "./internal/db/dirlock", "./internal/cluster", "go.mongodb.org/mongo-driver/v2/mongo"},
		"internal/db/document":  {"./internal/db", "./internal/cluster", "encoding/json"},
		"internal/db/storetest": {"./internal/db", "./internal/cluster", "testing"},
		"internal/scheduler":    {"./internal/cluster", "slices"},
		"e2e/bench":             {"./client", "github.com/docker/docker/client"},
	}
	for _, fault := range importrule.Check(graph, rules) {
		t.Error(fault)
	}
}
