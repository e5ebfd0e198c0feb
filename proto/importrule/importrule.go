// Package importrule holds a module's packages to rules about who may import
// whom. It owns the reading of import clauses and the judging of them; the
// rules, each with its reason, stand in the test of the module they are for.
//
// It reads the files itself rather than asking `go list`, so that `go test`
// knows on which files a passed test depends and does not reuse a stale pass.
package importrule

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Graph is the imports of a module's packages, test files left out: a package's
// folder relative to the module ("." for its root) to the import paths in it.
// A package of the same module has the path ./folder.
type Graph map[string][]string

// Rule says what packages may import. Names are folders relative to the module;
// those of imports are import paths, with ./folder for the module's own
// packages and std for the whole standard library. A name that ends in /...
// stands for that package and all below it; ... alone for everything.
type Rule struct {
	From   []string // the packages that the rule is about
	Except []string // and those of them that it is not about
	Forbid []string // what they must not import
	Allow  []string // of that, what they may all the same
	Why    string
}

// Layers gives the rules of a house whose rows stand in the order from top to
// bottom: a package imports from rows below its own, never from above, and from
// its own row only what belongs to it.
func Layers(why string, rows ...[]string) []Rule {
	var rules []Rule
	var above []string
	for _, row := range rows {
		for _, pkg := range row {
			above = append(above, "./"+pkg)
		}
		for _, pkg := range row {
			rules = append(rules, Rule{From: []string{pkg}, Forbid: slices.Clone(above), Allow: []string{"./" + pkg}, Why: why})
		}
	}
	return rules
}

// Read parses the import clauses of every package below root, the folder of the
// module with the given path. Folders named testdata and those that start with
// a dot or an underscore are no packages.
func Read(root, module string) (Graph, error) {
	graph := Graph{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (base == "testdata" || base[0] == '.' || base[0] == '_' || hasModule(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		imports := graph[folder]
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, relative(imported, module))
		}
		slices.Sort(imports)
		graph[folder] = slices.Compact(imports)
		return nil
	})
	return graph, err
}

func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func relative(imported, module string) string {
	if imported == module {
		return "./."
	}
	if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
		return "./" + rest
	}
	return imported
}

// Check lists, in order, each import that a rule forbids, with the rule's
// reason, and each package below internal that no rule names: a new room has to
// be given its place.
func Check(graph Graph, rules []Rule) []string {
	var faults []string
	for pkg, imports := range graph {
		placed := !strings.HasPrefix(pkg, "internal/")
		for _, rule := range rules {
			if !matchesAny(rule.From, pkg) || matchesAny(rule.Except, pkg) {
				continue
			}
			placed = placed || !slices.Contains(rule.From, "...") && !slices.Contains(rule.From, "internal/...")
			for _, imported := range imports {
				if matchesAny(rule.Forbid, imported) && !matchesAny(rule.Allow, imported) {
					faults = append(faults, fmt.Sprintf("%s imports %s: %s", pkg, strings.TrimPrefix(imported, "./"), rule.Why))
				}
			}
		}
		if !placed {
			faults = append(faults, fmt.Sprintf("%s has no place among the rules: name it in one, with the reason for what it may import", pkg))
		}
	}
	sort.Strings(faults)
	return slices.Compact(faults)
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

func matches(pattern, name string) bool {
	switch pattern {
	case "...":
		return true
	case "std":
		first, _, _ := strings.Cut(name, "/")
		return first != "." && first != "cloudai" && !strings.Contains(first, ".")
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path.Clean(name) == path.Clean(tree) || strings.HasPrefix(name, tree+"/")
	}
	return name == pattern
}
