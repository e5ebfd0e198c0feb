package cluster

import (
	"errors"
	"strings"
	"testing"
)

func TestF26Versions(t *testing.T) {
	for _, c := range []struct {
		master, worker string
		ok             bool
	}{
		{"v1.4.2", "v1.4.2", true},
		{"v1.4.2", "1.4", true},
		{"v1.4.2", "v1.5.0", true},
		{"v1.4.2", "v1.3.9-12-g0a1b2c3-dirty", true},
		{"v1.4.2", "v1.6.0", false},
		{"v1.4.2", "v1.2.9", false},
		{"v1.4.2", "v2.4.2", false},
		{"v10.4", "v1.4", false},
		{"v1.10.0", "v1.9.3", true},
		{"v1.4.2", "866299c", true}, // a build of a working tree
		{"dev", "v1.4.2", true},
		{"v1.4.2", "", true},
		{"v1.4.2", "1234567.5x", true}, // no number, so nothing is known of it
	} {
		err := CheckVersions(c.master, c.worker)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrVersion) {
			t.Errorf("master %s, worker %s: %v", c.master, c.worker, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.master) || !strings.Contains(err.Error(), c.worker)) {
			t.Errorf("%q names not both versions", err)
		}
	}
}
