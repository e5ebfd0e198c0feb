package pulled

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Errors that an engine answers a removal with; neither is a failure.
var (
	// ErrInUse: a container has the image, or it is being pulled.
	ErrInUse = errors.New("the image is in use")
	// ErrGone: there is no image of that name and id any more.
	ErrGone = errors.New("the image is gone")
)

// Engine has the images. A cancelled context ends its calls soon.
type Engine interface {
	// Room tells how many bytes of the disk with the images are free, and how
	// many it has; total 0 when that disk is not this host's to look at.
	Room(ctx context.Context) (free, total int64, err error)
	// RemoveImage takes the name from the image, and the image away when that
	// was its last name: not while a container has it or it is being pulled
	// (ErrInUse), and not when the name stands for something else by now
	// (ErrGone).
	RemoveImage(ctx context.Context, name, id string) error
}

// Keeper sees that room is left.
type Keeper struct {
	Record *Record
	Engine Engine
	// Reserve is what of a disk of so many bytes is to be free.
	Reserve func(total int64) int64
	Log     *slog.Logger
}

// lookEvery is how often a keeper looks.
const lookEvery = 10 * time.Second

// marks is how many times the reserve is free before images go. At the reserve
// itself the worker takes no tasks: it is not to come to that.
const marks = 2

// Run looks after the disk until the context ends. wanted reports whether an
// attempt of this worker needs an image.
func (k *Keeper) Run(ctx context.Context, wanted func(Image) bool) error {
	defer k.Record.Keep()
	timer := time.NewTicker(lookEvery)
	defer timer.Stop()
	for {
		k.Look(ctx, wanted)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Look removes what has to go, and no more than that. An image that a task uses
// at the time of a look was used then.
func (k *Keeper) Look(ctx context.Context, wanted func(Image) bool) {
	for _, image := range k.Record.Oldest() {
		if wanted(image) {
			k.Record.Used(image.Name)
		}
	}
	for _, image := range k.Record.Oldest() {
		free, total, err := k.Engine.Room(ctx)
		if err != nil || total == 0 || free/marks >= k.Reserve(total) {
			return // an engine that is away is the agent's to tell of
		}
		if wanted(image) {
			continue
		}
		switch err := k.Engine.RemoveImage(ctx, image.Name, image.ID); {
		case err == nil:
			k.Record.Gone(image.Name)
			k.Log.Info("removed an image to make room", "image", image.Name, "used_at", image.UsedAt, "free_mib", free>>20)
		case errors.Is(err, ErrGone):
			k.Record.Gone(image.Name)
		case ctx.Err() != nil:
			return
		case !errors.Is(err, ErrInUse):
			k.Log.Warn("an image could not be removed", "image", image.Name, "error", err)
		}
	}
}
