package docker

import (
	"strings"
	"testing"

	"cloudai/worker/internal/pulled"
)

func TestAsks(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	image := pulled.Image{Name: "docker.io/library/busybox:latest", ID: "sha256:" + hex}
	for asked, want := range map[string]bool{
		"busybox": true, "busybox:latest": true, "docker.io/busybox": true, "library/busybox": true,
		"sha256:" + hex: true, hex: true,
		"busybox:1": false, "other/busybox": false, "": false, "BAD NAME": false, strings.Repeat("cd", 32): false,
	} {
		if Asks(asked, image) != want {
			t.Errorf("%q means it: %v", asked, !want)
		}
	}
}
