package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The order in which to read the coordinator, in its package comment, names each
// of its files, and no other.
func TestCoordinatorReadingOrder(t *testing.T) {
	dir := filepath.Join("..", "coordinator")
	doc, err := os.ReadFile(filepath.Join(dir, "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\w+\.go\b`).FindAllString(string(doc), -1)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if at := slices.Index(named, name); at >= 0 {
			named = slices.Delete(named, at, at+1)
		} else if name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("doc.go does not name %s", name)
		}
	}
	if len(named) > 0 {
		t.Errorf("doc.go names what is not there, or twice: %v", named)
	}
}
