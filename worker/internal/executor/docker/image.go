package docker

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/client"

	"cloudai/worker/internal/executor"
)

// seenFor is how long an image that was there is not looked for again. One
// that goes meanwhile is noticed by Create.
const seenFor = 10 * time.Minute

// aliveEvery is how often those who wait for a pull hear that it goes on, also
// when no byte moves: it waits for its turn at the engine, or unpacks. Whether
// it does go on is the watchdog's to judge.
const aliveEvery = 2 * time.Second

// imageID is what the engine takes for an image but no registry knows.
var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)

// images makes images present: one pull at a time for each, shared by all who
// wait for it.
type images struct {
	api *client.Client
	cfg Config

	mu     sync.Mutex
	seen   map[string]time.Time // by name as asked for
	pulls  map[string]*pull     // by full reference
	closed bool
	wg     sync.WaitGroup // of running pulls

	moved atomic.Int64 // when any pull moved, in nanoseconds of Unix
}

func newImages(api *client.Client, cfg Config) *images {
	return &images{api: api, cfg: cfg, seen: map[string]time.Time{}, pulls: map[string]*pull{}}
}

// EnsureImage makes the image present.
func (e *Executor) EnsureImage(ctx context.Context, image string, progress func(executor.PullProgress)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name, ok := FullName(image); ok {
		e.cfg.Ledger.Used(name)
	}
	if e.images.recentlySeen(image) {
		return nil
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil && !imageID.MatchString(image) {
		return fmt.Errorf("%w: %q: %w", executor.ErrImage, image, err)
	}
	short, cancel := e.bounded(ctx)
	defer cancel()
	_, err = e.api.ImageInspect(short, image)
	switch {
	case err == nil:
		e.images.note(image)
		return nil
	case cerrdefs.IsNotFound(err) && named == nil:
		return fmt.Errorf("%w: %s: this worker has no image of that id", executor.ErrImage, image)
	case cerrdefs.IsNotFound(err):
	case cerrdefs.IsInvalidArgument(err):
		return fmt.Errorf("%w: %q: %w", executor.ErrImage, image, err)
	default:
		return fail(ctx, "looking for image "+image, err)
	}
	if err := e.images.pull(ctx, reference.TagNameOnly(named), progress); err != nil {
		return err
	}
	e.images.note(image)
	return nil
}

func (im *images) recentlySeen(image string) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	at, ok := im.seen[image]
	if ok && time.Since(at) > seenFor {
		delete(im.seen, image)
		return false
	}
	return ok
}

// note remembers that the image is there.
func (im *images) note(image string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.seen[image] = time.Now()
}

// forget drops what is remembered of an image.
func (im *images) forget(image string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	delete(im.seen, image)
}

// forgetAll drops what is remembered of all images: one can be known by many
// names.
func (im *images) forgetAll() {
	im.mu.Lock()
	defer im.mu.Unlock()
	clear(im.seen)
}

// pulling reports whether the image is on its way.
func (im *images) pulling(name string) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.pulls[name] != nil
}

// record tells the ledger what a pull has brought. When the engine does not say
// what that is the image stays, as one of nobody's.
func (im *images) record(ctx context.Context, p *pull) {
	if !p.brought.Load() {
		return // somebody else has pulled it meanwhile
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), im.cfg.AnswerTimeout)
	defer cancel()
	if there, err := im.api.ImageInspect(ctx, p.named.String()); err == nil {
		im.cfg.Ledger.Pulled(p.named.String(), there.ID)
	}
}

// close ends all pulls and waits for them.
func (im *images) close() {
	im.mu.Lock()
	im.closed = true
	for _, p := range im.pulls {
		p.cancel(errClosed)
	}
	im.mu.Unlock()
	im.wg.Wait()
}

// pull joins the image's pull, starting it if need be, and leaves it when the
// context ends. The last one to leave ends the pull.
func (im *images) pull(ctx context.Context, named reference.Named, progress func(executor.PullProgress)) error {
	p, err := im.join(named)
	if err != nil {
		return err
	}
	defer im.leave(p)
	told := executor.PullProgress{DoneBytes: -1} // nothing yet
	tell := func(again bool) {
		if sum, begun := p.current(); progress != nil && begun && (again || sum != told) {
			told = sum
			progress(sum)
		}
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		moved := p.watch()
		tell(false) // who comes late hears where it is
		select {
		case <-p.done:
			tell(false)
			return p.err
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-alive.C:
			tell(true)
		}
	}
}

// join returns the image's pull with one waiter more.
func (im *images) join(named reference.Named) (*pull, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.closed {
		return nil, fmt.Errorf("%w: %w", executor.ErrEngine, errClosed)
	}
	key := named.String()
	p := im.pulls[key]
	if p == nil {
		// Its life is its waiters', not the first one's.
		var ctx context.Context
		p = newPull(named)
		ctx, p.cancel = context.WithCancelCause(context.Background())
		im.pulls[key] = p
		im.wg.Go(func() {
			err := p.run(ctx, im.api, im.cfg, &im.moved)
			if err == nil {
				im.record(ctx, p)
			}
			p.cancel(nil)
			im.drop(p)
			p.finish(err)
		})
	}
	p.waiters++
	return p, nil
}

// leave takes one waiter from the pull.
func (im *images) leave(p *pull) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if p.waiters--; p.waiters == 0 {
		p.cancel(errLeft)
		im.dropLocked(p)
	}
}

// drop makes the next one who asks for the image start anew.
func (im *images) drop(p *pull) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.dropLocked(p)
}

func (im *images) dropLocked(p *pull) {
	if key := p.named.String(); im.pulls[key] == p {
		delete(im.pulls, key)
	}
}
