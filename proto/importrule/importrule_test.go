package importrule_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloudai/proto/importrule"
)

// The rules of a made-up house, of every kind that the real ones use.
var rules = append(
	importrule.Layers("arrows are drawn downwards",
		[]string{"."},
		[]string{"internal/http", "internal/rpc"},
		[]string{"internal/core"},
		[]string{"internal/queue", "internal/db/..."},
		[]string{"internal/domain"},
	),
	importrule.Rule{
		From:   []string{"internal/domain"},
		Forbid: []string{"..."},
		Allow:  []string{"std"},
		Why:    "the domain knows nobody",
	},
	importrule.Rule{
		From:   []string{"internal/..."},
		Except: []string{"internal/db/..."},
		Forbid: []string{"./internal/db/sqlite", "example.com/sqlite/..."},
		Why:    "only main chooses a backend",
	},
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		graph importrule.Graph
		want  []string
	}{
		{"downwards", importrule.Graph{
			".":                  {"./internal/http", "./internal/core", "./internal/db/sqlite", "os"},
			"internal/http":      {"./internal/core", "./internal/domain", "net/http"},
			"internal/core":      {"./internal/queue", "./internal/db"},
			"internal/db":        {"./internal/domain"},
			"internal/db/sqlite": {"./internal/db", "example.com/sqlite/v2"},
			"internal/domain":    {"time", "encoding/json"},
		}, nil},
		{"upwards", importrule.Graph{"internal/queue": {"./internal/core"}}, []string{
			"internal/queue imports internal/core: arrows are drawn downwards",
		}},
		{"sideways", importrule.Graph{"internal/http": {"./internal/rpc"}}, []string{
			"internal/http imports internal/rpc: arrows are drawn downwards",
		}},
		{"sideways into a tree", importrule.Graph{"internal/queue": {"./internal/db/sqlite"}}, []string{
			"internal/queue imports internal/db/sqlite: arrows are drawn downwards",
			"internal/queue imports internal/db/sqlite: only main chooses a backend",
		}},
		{"main from within", importrule.Graph{"internal/core": {"./."}}, []string{
			"internal/core imports .: arrows are drawn downwards",
		}},
		{"a library in the domain", importrule.Graph{"internal/domain": {"example.com/x", "cloudai/proto/pb", "fmt"}}, []string{
			"internal/domain imports cloudai/proto/pb: the domain knows nobody",
			"internal/domain imports example.com/x: the domain knows nobody",
		}},
		{"a backend's library", importrule.Graph{"internal/core": {"example.com/sqlite", "example.com/sqlited"}}, []string{
			"internal/core imports example.com/sqlite: only main chooses a backend",
		}},
		{"a room without a place", importrule.Graph{"internal/util": nil, "cmd/x": nil}, []string{
			"internal/util has no place among the rules: name it in one, with the reason for what it may import",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := importrule.Check(test.graph, rules); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"main.go":                   "package main\nimport (\n\"os\"\n\"example.org/m/internal/a\"\n)\n",
		"internal/a/a.go":           "package a\nimport \"fmt\"\n",
		"internal/a/b.go":           "package a\nimport \"fmt\"\nimport x \"example.org/m\"\n",
		"internal/a/a_test.go":      "package a\nimport \"testing\"\n",
		"internal/a/testdata/t.go":  "package t\nimport \"log\"\n",
		"internal/a/_old/o.go":      "package o\nimport \"log\"\n",
		"internal/a/sub/other.go":   "//go:build never\n\npackage sub\nimport \"example.org/mother\"\n",
		"internal/nested/go.mod":    "module example.org/nested\n",
		"internal/nested/nested.go": "package nested\nimport \"log\"\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := importrule.Read(root, "example.org/m")
	if err != nil {
		t.Fatal(err)
	}
	want := importrule.Graph{
		".":              {"./internal/a", "os"},
		"internal/a":     {"./.", "fmt"},
		"internal/a/sub": {"example.org/mother"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A file that does not parse is an error: its imports would go unseen.
func TestReadRefusesBrokenFile(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "x.go"), []byte("package x\nimport ("), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := importrule.Read(root, "example.org/m"); err == nil {
		t.Error("no error")
	}
}
