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

var rules = slices.Concat(
	importrule.Layers("an arrow may be drawn only downwards, and neighbors do not know each other",
		[]string{"."},
		[]string{"internal/server/...", "internal/uplink/...", "simulation/..."}, // the two directions of the wire, and none
		[]string{"internal/agent/..."},
		[]string{"internal/logstream/...", "internal/telemetry/..."},
		[]string{"internal/executor/...", "internal/system/..."},
		[]string{"internal/pulled/..."},
	),
	[]importrule.Rule{
		{
			From:   []string{"internal/executor/...", "internal/logstream/...", "internal/telemetry/...", "internal/system/...", "internal/pulled/..."},
			Forbid: []string{pb, grpc},
			Why:    "what runs and measures containers knows no master; messages are converted at the edges",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/executor/docker/..."},
			Forbid: []string{"./internal/executor/docker/..."},
			Why:    "only main chooses the executor",
		},
		{
			From:   []string{"..."},
			Except: []string{"internal/executor/docker/...", "internal/executor/executortest/..."},
			Forbid: []string{"github.com/docker/...", "github.com/moby/..."},
			Why:    "the engine's API stays behind the executor's contract",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/executor/fake/..."},
			Forbid: []string{"./internal/executor/fake/..."},
			Why:    "only main chooses the executor",
		},
		{
			From:   []string{"..."},
			Except: []string{"internal/executor/executortest/..."},
			Forbid: []string{"./internal/executor/executortest/...", "testing/..."},
			Why:    "test code has no place in the binary",
		},
		{
			From:   []string{"..."},
			Forbid: []string{"./simulation/..."},
			Why:    "the simulated host is for the model of the whole cluster, which is a test of the master's",
		},
		{
			From:   []string{"simulation/..."},
			Forbid: []string{"os/...", "net/...", "sync/...", pb, grpc},
			Why:    "a simulation has no I/O, no wire and one goroutine: its caller's order decides",
		},
		{
			From:   []string{"..."},
			Except: []string{".", "internal/config/..."},
			Forbid: []string{"./internal/config/..."},
			Why:    "main reads the configuration and hands each part its own by value",
		},
		{
			From:   []string{"internal/config/...", "internal/arch"},
			Forbid: []string{"./..."},
			Why:    "what only main uses must not pull rooms in behind it",
		},
	},
)

func TestImportDirections(t *testing.T) {
	graph, err := importrule.Read("../..", "cloudai/worker")
	if err != nil {
		t.Fatal(err)
	}
	if len(graph["internal/executor"]) == 0 {
		t.Fatal("the reader found no imports in internal/executor; is the module's root elsewhere?")
	}
	for _, fault := range importrule.Check(graph, rules) {
		t.Error(fault)
	}
}

// Each forbidden edge is tried once on a made-up graph: a rule that lost its
// teeth fails here.
func TestRulesBite(t *testing.T) {
	tests := []struct{ pkg, imported string }{
		{"internal/executor", "./internal/agent"},
		{"internal/executor/docker", "./internal/server"},
		{"internal/executor/docker", "cloudai/proto/pb"},
		{"internal/executor/docker", "./internal/executor/fake"},
		{"internal/executor/fake", "github.com/docker/docker/client"},
		{"internal/agent", "./internal/server"},
		{"internal/agent", "./internal/executor/docker"},
		{"internal/agent", "github.com/docker/docker/api/types/container"},
		{"internal/agent", "./internal/executor/executortest"},
		{"internal/server", "./internal/executor/fake"},
		{"internal/server", "./internal/config"},
		{"internal/logstream", "./internal/agent"},
		{"internal/logstream", "./internal/telemetry"},
		{"internal/telemetry", "google.golang.org/grpc"},
		{"internal/system", "./internal/executor"},
		{"internal/config", "./internal/system"},
		{".", "testing"},
		{".", "./simulation"},
		{"internal/agent", "./simulation"},
		{"simulation", "sync"},
		{"simulation", "./internal/executor/fake"},
		{"internal/agent", "./."},
	}
	for _, test := range tests {
		if faults := importrule.Check(importrule.Graph{test.pkg: {test.imported}}, rules); len(faults) == 0 {
			t.Errorf("%s may import %s", test.pkg, test.imported)
		}
	}
}

func TestRulesAllow(t *testing.T) {
	graph := importrule.Graph{
		".":                              {"./internal/config", "./internal/executor/docker", "./internal/executor/fake", "./internal/agent", "./internal/server"},
		"simulation":                     {"./internal/agent", "./internal/executor", "math/rand/v2"},
		"internal/server":                {"./internal/agent", "./internal/logstream", "./internal/executor", "cloudai/proto/pb", "google.golang.org/grpc"},
		"internal/agent":                 {"./internal/executor", "./internal/logstream", "./internal/telemetry", "cloudai/proto/pb"},
		"internal/logstream":             {"./internal/executor", "io"},
		"internal/telemetry":             {"./internal/system", "./internal/executor"},
		"internal/executor/docker":       {"./internal/executor", "github.com/docker/docker/client"},
		"internal/executor/executortest": {"./internal/executor", "testing", "github.com/docker/docker/client"},
	}
	for _, fault := range importrule.Check(graph, rules) {
		t.Error(fault)
	}
}
