package cluster

import (
	"fmt"
	"regexp"
	"strconv"
)

// release is the beginning of a release's version: v1.4, v1.4.2, and what git
// describes after it, v1.4.2-12-g0a1b2c3.
var release = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})(?:[.+-].*)?$`)

// CheckVersions is nil when a worker of the one version may work for a master of
// the other: same major number, minor numbers at most one apart. A build without
// a release number says nothing about what it speaks and is let in.
// ErrVersion names both.
func CheckVersions(master, worker string) error {
	m, w := release.FindStringSubmatch(master), release.FindStringSubmatch(worker)
	if m == nil || w == nil {
		return nil
	}
	if m[1] == w[1] && apart(m[2], w[2]) <= 1 {
		return nil
	}
	return fmt.Errorf("%w: the worker has version %s, the master %s; they may be one minor version apart: update the older one",
		ErrVersion, worker, master)
}

// apart is the distance of two numbers that the expression has bounded.
func apart(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return max(x-y, y-x)
}
