package docker

import (
	"context"
	"math"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/shirou/gopsutil/v3/disk"

	"cloudai/worker/internal/pulled"
)

// Ledger hears which images tasks have made the engine pull, and when they are
// used. Its methods return soon.
type Ledger interface {
	// Pulled: the engine had no image of that full name before.
	Pulled(name, id string)
	// Used: by a full name.
	Used(name string)
}

// noLedger is for those who do not want to know.
type noLedger struct{}

func (noLedger) Pulled(string, string) {}
func (noLedger) Used(string)           {}

// FullName is the name under which the engine knows the image that a task asks
// for; false for one that is no name.
func FullName(image string) (string, bool) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", false
	}
	return reference.TagNameOnly(named).String(), true
}

// Asks reports whether a task that asks for an image means this one.
func Asks(asked string, image pulled.Image) bool {
	if name, ok := FullName(asked); ok && name == image.Name {
		return true
	}
	return strings.TrimPrefix(asked, "sha256:") == strings.TrimPrefix(image.ID, "sha256:")
}

// Room tells how full the disk with the images is; total 0 when the engine is
// on another host.
func (e *Executor) Room(ctx context.Context) (free, total int64, err error) {
	if !strings.HasPrefix(e.api.DaemonHost(), "unix://") {
		return 0, 0, nil
	}
	short, cancel := e.bounded(ctx)
	defer cancel()
	info, err := e.api.Info(short)
	if err != nil {
		return 0, 0, fail(ctx, "asking the engine where its images are", err)
	}
	d := e.diskOf(short, info.DockerRootDir)
	if d == nil {
		return 0, 0, nil
	}
	return int64(min(d.Free, math.MaxInt64)), int64(min(d.Total, math.MaxInt64)), nil
}

// diskOf is the disk with a folder of the engine's; nil when that is not this
// host's: the engine is elsewhere, or in a virtual machine.
func (e *Executor) diskOf(ctx context.Context, dir string) *disk.UsageStat {
	if !strings.HasPrefix(e.api.DaemonHost(), "unix://") {
		return nil
	}
	d, err := disk.UsageWithContext(ctx, dir)
	if err != nil {
		return nil
	}
	return d
}

// RemoveImage removes an image by its name. Names that others have given it
// stay, and with them the image. A task that asks for it at this moment may
// have seen it already: Create notices then, and has it pulled again.
func (e *Executor) RemoveImage(ctx context.Context, name, id string) error {
	if e.images.pulling(name) {
		return pulled.ErrInUse
	}
	short, cancel := e.bounded(ctx)
	defer cancel()
	there, err := e.api.ImageInspect(short, name)
	switch {
	case cerrdefs.IsNotFound(err), err == nil && there.ID != id:
		return pulled.ErrGone
	case err != nil:
		return fail(ctx, "looking for image "+name, err)
	}
	users, err := e.api.ContainerList(short, container.ListOptions{
		All: true, Limit: 1, Filters: filters.NewArgs(filters.Arg("ancestor", id)),
	})
	if err != nil {
		return fail(ctx, "asking who uses image "+name, err)
	}
	if len(users) > 0 {
		return pulled.ErrInUse
	}
	e.images.forgetAll()
	defer e.images.forgetAll()
	// Taking the files away may last: no bound but the caller's.
	_, err = e.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
	switch {
	case cerrdefs.IsConflict(err):
		return pulled.ErrInUse // a container came meanwhile
	case cerrdefs.IsNotFound(err):
		return pulled.ErrGone
	case err != nil:
		return fail(ctx, "removing image "+name, err)
	}
	return nil
}
