//go:build engine

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// An engine of a test's own leaves nothing, however it was treated.
func TestDockerdLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(*Dockerd, context.Context) error{
		"in order":         (*Dockerd).Restart,
		"all of it killed": (*Dockerd).KillAll,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := NewDockerd(t.Context(), "")
			must(t, err)
			closed := false
			t.Cleanup(func() {
				if !closed {
					must(t, d.Close(context.Background()))
				}
			})
			image, err := d.LoadImage(t.Context(), "../../../.tools/setup")
			must(t, err)
			c, err := d.api.ContainerCreate(t.Context(), &container.Config{Image: image, Cmd: []string{"sleep", "3600"}},
				&container.HostConfig{NetworkMode: "none", Init: new(true)}, nil, nil, "")
			must(t, err)
			must(t, d.api.ContainerStart(t.Context(), c.ID, container.StartOptions{}))
			must(t, end(d, t.Context()))
			closed = true
			must(t, d.Close(t.Context()))

			must(t, Await(t.Context(), downLimit, func(context.Context) error {
				var left []string
				for _, file := range []string{"cmdline", "cgroup"} {
					left = append(left, processesWhere(file, func(text []byte) bool {
						return bytes.Contains(text, []byte(d.dir)) || bytes.Contains(text, []byte(c.ID))
					})...)
				}
				if left = slices.DeleteFunc(left, func(pid string) bool { return !alive(pid) }); len(left) > 0 {
					return fmt.Errorf("processes %v are left", left)
				}
				return nil
			}))
			if mounts, err := mountsBelow(d.dir); err != nil || len(mounts) > 0 {
				t.Errorf("mounts %v are left, %v", mounts, err)
			}
			for _, path := range []string{d.dir, "/run/netns/" + d.netns} {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is left", path)
				}
			}
			if groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + d.netns); len(groups) > 0 {
				t.Errorf("left: %s", strings.Join(groups, " "))
			}
		})
	}
}

// What runs on a disk that was filled finds no room, and room again afterwards.
func TestDiskFills(t *testing.T) {
	d, err := NewDisk(t.Context(), filepath.Join(t.TempDir(), "disk"), 16)
	must(t, err)
	defer func() { must(t, d.Close(context.Background())) }()
	must(t, d.Fill(1<<20))
	if free, err := d.Free(); err != nil || free > 1<<20 || free == 0 {
		t.Errorf("%d bytes are free, %v", free, err)
	}
	must(t, d.Fill(0))
	if err := os.WriteFile(filepath.Join(d.Dir, "more"), []byte("more"), 0o600); err == nil {
		t.Error("there is room for more")
	}
	must(t, d.Empty())
	if free, err := d.Free(); err != nil || free < 15<<20 {
		t.Errorf("%d bytes are free, %v", free, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
