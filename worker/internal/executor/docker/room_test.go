//go:build engine

package docker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"cloudai/worker/internal/pulled"
)

// narrow is the engine with a disk that is always full.
type narrow struct{ *Executor }

func (n narrow) Room(ctx context.Context) (free, total int64, err error) {
	_, total, err = n.Executor.Room(ctx)
	return 0, total, err
}

// While the disk is nearly full, images go that tasks have pulled and nobody
// needs; those that people have made, pulled or run do not.
func TestF14ImagesMakeRoom(t *testing.T) {
	record, err := pulled.Open(filepath.Join(t.TempDir(), "images.json"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, Config{Ledger: record})
	h := startHub(t, "")
	close(h.hold)
	ctx := t.Context()
	there := func(name string) bool {
		_, err := e.api.ImageInspect(ctx, name)
		if err != nil && !cerrdefs.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	ensure := func(name string) string {
		if err := e.EnsureImage(ctx, name, nil); err != nil {
			t.Fatal(err)
		}
		return name
	}
	unused, second, held := ensure(publish(t, e, h.addr)), ensure(publish(t, e, h.addr)), ensure(publish(t, e, h.addr))
	own := publish(t, e, h.addr) // a person's own pull, which a task uses then
	body, err := e.api.ImagePull(ctx, own, image.PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	ensure(own)
	ensure(testImage)
	alias := "cloudai-executortest:a-persons-name"
	if err := e.api.ImageTag(ctx, second, alias); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = removeImage(e.api, alias) })
	spec := newSpec(t)
	spec.Image = held
	c, err := e.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), c.ID) })

	free, total, err := e.Room(ctx)
	if err != nil || total <= 0 || free <= 0 || free > total {
		t.Fatalf("room: %d of %d, %v", free, total, err)
	}
	if got := len(record.Oldest()); got != 3 {
		t.Fatalf("recorded are %+v", record.Oldest())
	}
	keeper := &pulled.Keeper{
		Record: record, Engine: narrow{e}, Log: slog.New(slog.DiscardHandler),
		Reserve: func(total int64) int64 { return total },
	}
	wanted := ""
	needs := func(i pulled.Image) bool { return wanted != "" && Asks(wanted, i) }

	wanted = unused
	keeper.Look(ctx, needs)
	for name, want := range map[string]bool{unused: true, second: false, alias: true, held: true, own: true, testImage: true} {
		if got := there(name); got != want {
			t.Errorf("while a task needs the first: %s is there: %v", name, got)
		}
	}
	wanted = ""
	if err := e.Remove(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	keeper.Look(ctx, needs)
	for name, want := range map[string]bool{unused: false, alias: true, held: false, own: true, testImage: true} {
		if got := there(name); got != want {
			t.Errorf("when no task needs any: %s is there: %v", name, got)
		}
	}
	if got := record.Oldest(); len(got) != 0 {
		t.Errorf("still recorded: %+v", got)
	}
	// It was seen a moment ago, and comes again all the same.
	spec.Key.Attempt++
	spec.Image = unused
	c, err = e.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := FullName(unused)
	if err := e.RemoveImage(ctx, name, record.Oldest()[0].ID); !errors.Is(err, pulled.ErrInUse) {
		t.Errorf("an image with a container was to go: %v", err)
	}
	if err := e.RemoveImage(ctx, name, "sha256:another"); !errors.Is(err, pulled.ErrGone) {
		t.Errorf("another image of that name was to go: %v", err)
	}
	if err := e.Remove(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
}
