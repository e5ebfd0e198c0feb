package arch

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// storeSuite does less under the detector for all who run it.
const storeSuite = "master/internal/db/storetest/"

var raceConstraint = regexp.MustCompile(`(?m)^//go:build .*\brace\b`)

// asksForDetector reports whether a file is built with the detector only, or
// without it only; constraints stand before the package.
func asksForDetector(code []byte) bool {
	head, _, _ := bytes.Cut(append([]byte("\n"), code...), []byte("\npackage "))
	return raceConstraint.Match(head)
}

// make test runs most tests under the race detector only, and those that then do
// less without it, too. .tools/packages.sh finds these by their packages' test files;
// so no other code may do less, but for the suite of stores, which it knows by name.
func TestWhoAsksForTheRaceDetector(t *testing.T) {
	asked := 0
	for _, module := range []string{"master", "worker", "proto"} {
		err := filepath.WalkDir(filepath.Join(repository, module), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			name, err := filepath.Rel(repository, path)
			if err != nil {
				return err
			}
			code, err := os.ReadFile(path)
			if asksForDetector(code) {
				asked++
				if !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, storeSuite) {
					t.Errorf("%s asks for the race detector, and .tools/packages.sh does not know whose tests do less for that", name)
				}
			}
			if bytes.Contains(code, []byte("storetest.Run(")) && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s runs the suite of stores for others, whom .tools/packages.sh does not know", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if asked == 0 {
		t.Error("nobody asks for the race detector: the words that are looked for are wrong")
	}
}
