package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	repository = "../../.."
	faultsPage = repository + "/docs/design/faults.md"
	cases      = 28
)

var (
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	namedTest = regexp.MustCompile("`(?:(\\w+)\\.)?(Test\\w+)`")
	pageRow   = regexp.MustCompile(`(?m)^\| (F\d\d) \|.*$`)
)

// The page of faults has every case, each with a test that carries its number,
// and every test that it names is in the tree, in the package that it says.
func TestFaultsPage(t *testing.T) {
	page, err := os.ReadFile(faultsPage)
	if err != nil {
		t.Fatal(err)
	}
	tests := allTests(t)
	rows := map[string]string{}
	for _, m := range pageRow.FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[0]
	}
	for n := 1; n <= cases; n++ {
		number := fmt.Sprintf("F%02d", n)
		if !strings.Contains(rows[number], "Test"+number) {
			t.Errorf("%s has no row with a test of that number", number)
		}
	}
	for _, m := range namedTest.FindAllStringSubmatch(string(page), -1) {
		where, name := m[1], m[2]
		if where == "" {
			where = "e2e"
		}
		if !tests[where+"."+name] {
			t.Errorf("the page names %s.%s, which is not there", where, name)
		}
	}
	for name := range tests {
		_, test, _ := strings.Cut(name, ".")
		if number := regexp.MustCompile(`^TestF(\d\d)`).FindString(test); number != "" && rows[number[len("Test"):]] == "" {
			t.Errorf("%s is of a case that the page does not have", name)
		}
	}
}

// allTests are the tests and fuzz targets of the tree as package.Name.
func allTests(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	for _, module := range []string{"master", "worker", "proto"} {
		root := filepath.Join(repository, module)
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			for _, m := range testFunc.FindAllStringSubmatch(string(code), -1) {
				tests[filepath.Base(filepath.Dir(path))+"."+m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return tests
}
