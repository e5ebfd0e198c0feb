package storage

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloudai/master/internal/cluster"
)

// Limits of a path inside a task; the kernel that made the file has the same.
const (
	maxPath    = 4095 // bytes
	maxElement = 255  // bytes
	maxDepth   = 256  // elements
)

// CheckPath refuses, with cluster.ErrInvalid, every path that is not plainly
// that of a file below a folder: relative, separated by single slashes, valid
// UTF-8 without NUL, no element "." or "..", and within the limits.
func CheckPath(p string) error {
	bad := func(why string) error {
		return fmt.Errorf("%w: output path %.100q %s", cluster.ErrInvalid, p, why)
	}
	switch {
	case p == "":
		return bad("is empty")
	case len(p) > maxPath:
		return bad(fmt.Sprintf("is longer than %d bytes", maxPath))
	case !utf8.ValidString(p):
		return bad("is not UTF-8")
	case strings.IndexByte(p, 0) >= 0:
		return bad("contains NUL")
	case strings.Count(p, "/") >= maxDepth:
		return bad(fmt.Sprintf("is deeper than %d folders", maxDepth-1))
	}
	for element := range strings.SplitSeq(p, "/") {
		switch {
		case element == "":
			return bad("is absolute or has an empty element")
		case element == "." || element == "..":
			return bad("has an element " + element)
		case len(element) > maxElement:
			return bad(fmt.Sprintf("has an element longer than %d bytes", maxElement))
		}
	}
	return nil
}

// checkName refuses an id that cannot be the name of a folder.
func checkName(kind, s string) error {
	if !safeName(s) {
		return fmt.Errorf("%w: %s %.100q cannot name a folder", cluster.ErrInvalid, kind, s)
	}
	return nil
}

// safeName reports whether an id may be the name of a folder. Ids are made by
// the master; this is the second lock on the door.
func safeName(s string) bool {
	ok := s != "" && len(s) <= 200 && s[0] != '.'
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.@+", c) >= 0
	}
	return ok
}

// Folders at the top, besides those of users, whose names have no leading dot.
const (
	stagingDir = ".staging"
	trashDir   = ".trash"
)

// stagingOf is the staging folder of an attempt, relative to the top.
func stagingOf(ref cluster.AttemptRef) (string, error) {
	if err := checkName("task", string(ref.TaskID)); err != nil {
		return "", err
	}
	if err := checkName("lease", ref.Lease); err != nil {
		return "", err
	}
	return path.Join(stagingDir, string(ref.TaskID), strconv.Itoa(ref.Attempt)+"-"+ref.Lease), nil
}

// homeOf is the folder of a task's published files, relative to the top.
func homeOf(owner cluster.UserID, task cluster.TaskID) (string, error) {
	if err := checkName("user", string(owner)); err != nil {
		return "", err
	}
	if err := checkName("task", string(task)); err != nil {
		return "", err
	}
	return path.Join(string(owner), string(task)), nil
}

// parents calls yield with every folder that leads to p, "." last.
func parents(p string, yield func(string)) {
	for p != "." {
		p = path.Dir(p)
		yield(p)
	}
}
