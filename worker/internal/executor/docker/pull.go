package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"

	"cloudai/worker/internal/executor"
)

// Why a pull ended early.
var (
	errClosed  = errors.New("the executor was closed")
	errLeft    = errors.New("nobody waits for the pull any more")
	errSilent  = errors.New("no answer from the registry")
	errStalled = errors.New("the pull made no progress")
)

// progressEvery is the least time between two words on a pull's progress but
// those of aliveEvery.
const progressEvery = 100 * time.Millisecond

// statusBrought begins the engine's last word on an image that it had not, or
// had otherwise, under that name.
const statusBrought = "Status: Downloaded newer image"

// pull is one image on its way.
type pull struct {
	named   reference.Named
	cancel  context.CancelCauseFunc
	waiters int // guarded by images.mu

	done chan struct{} // closed at the end
	err  error         // valid when done is closed

	queued  atomic.Bool // it waits for the engine's other pulls
	brought atomic.Bool // it has given the engine an image that it did not have

	mu    sync.Mutex
	moved chan struct{} // closed and replaced when the progress has changed
	told  time.Time     // when that was last
	begun bool          // the engine has said a first word
	sum   executor.PullProgress
}

func newPull(named reference.Named) *pull {
	return &pull{named: named, done: make(chan struct{}), moved: make(chan struct{})}
}

// watch returns what is closed with the next change of the progress.
func (p *pull) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved
}

// current is how far the pull is, once it has begun.
func (p *pull) current() (sum executor.PullProgress, begun bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum, p.begun
}

// publish notes how far the pull is. Those who wait are told at once unless
// they were a moment ago; then they hear of it by their own clock.
func (p *pull) publish(sum executor.PullProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := sum != p.sum || !p.begun
	p.sum, p.begun = sum, true
	if now := time.Now(); changed && now.Sub(p.told) >= progressEvery {
		p.told = now
		close(p.moved)
		p.moved = make(chan struct{})
	}
}

func (p *pull) finish(err error) {
	p.err = err
	close(p.done)
}

// run pulls the image once. A watchdog ends it when the registry stays
// silent, or nothing moves any more.
//
// The engine loads few layers at a time, of all pulls together: one that only
// waits for its turn is not stalled while any other moves.
func (p *pull) run(ctx context.Context, api *client.Client, cfg Config, lastMoved *atomic.Int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	auth, err := credentials(ctx, cfg.ConfigDir, reference.Domain(p.named))
	if err != nil {
		return fmt.Errorf("%w: credentials for %s: %w", executor.ErrRegistry, reference.Domain(p.named), err)
	}
	silence := time.AfterFunc(cfg.RegistryTimeout, func() { cancel(errSilent) })
	body, err := api.ImagePull(ctx, p.named.String(), image.PullOptions{RegistryAuth: auth})
	silence.Stop()
	if err != nil {
		return pullError(ctx, p.named, err)
	}
	defer body.Close()
	moved := make(chan struct{}, 1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watchdog(ctx, cancel, moved, cfg.StallTimeout, lastMoved)
	}()
	err = p.read(body, func() {
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	cause := pullError(ctx, p.named, err)
	cancel(nil)
	<-watched
	return cause
}

// watchdog cancels a pull that has stalled; it ends with the context.
// lastMoved is when any pull of the executor moved, in nanoseconds of Unix.
func (p *pull) watchdog(ctx context.Context, cancel context.CancelCauseFunc, moved <-chan struct{}, limit time.Duration, lastMoved *atomic.Int64) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-moved:
			lastMoved.Store(time.Now().UnixNano())
			timer.Reset(limit)
		case now := <-timer.C:
			left := limit - now.Sub(time.Unix(0, lastMoved.Load()))
			if !p.queued.Load() || left <= 0 {
				cancel(errStalled)
				return
			}
			timer.Reset(left)
		}
	}
}

// read follows the engine's messages to their end; moved is called whenever
// something has moved.
func (p *pull) read(body io.Reader, moved func()) error {
	messages := json.NewDecoder(body)
	layers := map[string]executor.PullProgress{}
	status := map[string]string{}
	for {
		var m jsonmessage.JSONMessage
		err := messages.Decode(&m)
		if err == io.EOF {
			p.publish(total(layers))
			return nil
		}
		if err != nil {
			return err
		}
		if m.Error != nil {
			return registryWords(m.Error.Message)
		}
		if strings.HasPrefix(m.Status, statusBrought) {
			p.brought.Store(true)
		}
		before := layers[m.ID]
		if m.Progress != nil && m.Status == "Downloading" {
			layers[m.ID] = executor.PullProgress{DoneBytes: m.Progress.Current, TotalBytes: m.Progress.Total}
		}
		if m.Status == "Download complete" || m.Status == "Pull complete" {
			layers[m.ID] = executor.PullProgress{DoneBytes: before.TotalBytes, TotalBytes: before.TotalBytes}
		}
		// Extracting goes on under one status; a countdown to another try
		// does not move anything.
		retrying := strings.HasPrefix(m.Status, "Retrying")
		if !retrying && (layers[m.ID] != before || status[m.ID] != m.Status || m.Status == "Extracting") {
			moved()
		}
		status[m.ID] = m.Status
		p.queued.Store(waitsForOthers(status))
		p.publish(total(layers))
	}
}

// waitsForOthers says whether layers wait for their turn and none is loading.
func waitsForOthers(status map[string]string) bool {
	waiting := false
	for _, s := range status {
		switch s {
		case "Downloading", "Extracting", "Verifying Checksum":
			return false
		case "Waiting":
			waiting = true
		}
	}
	return waiting
}

func total(layers map[string]executor.PullProgress) executor.PullProgress {
	var sum executor.PullProgress
	for _, l := range layers {
		sum.DoneBytes += l.DoneBytes
		sum.TotalBytes += l.TotalBytes
	}
	return sum
}

// registryWords is an error that came in the middle of a pull.
type registryWords string

// Error is what the engine said.
func (w registryWords) Error() string { return string(w) }

// pullError says who is to blame for a failed pull. It names the registry and
// the image. ctx is the pull's own.
func pullError(ctx context.Context, named reference.Named, err error) error {
	if err == nil {
		return nil
	}
	registry, name := reference.Domain(named), reference.FamiliarString(named)
	words := strings.ToLower(err.Error())
	var inside registryWords
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent), errors.Is(cause, errStalled):
		return fmt.Errorf("%w: %s, for image %s: %w", executor.ErrRegistry, registry, name, cause)
	case cause != nil:
		return fmt.Errorf("%w: %w", executor.ErrEngine, cause)
	case !errors.As(err, &inside) && engineGone(err):
		return fmt.Errorf("%w: pulling %s: %w", executor.ErrEngine, name, err)
	case strings.Contains(words, "failed to register layer"), strings.Contains(words, "no space left"):
		return fmt.Errorf("pulling %s: %w", name, err)
	case missing(registry, err, words):
		return fmt.Errorf("%w: registry %s does not give image %s: %w", executor.ErrImage, registry, name, err)
	default:
		return fmt.Errorf("%w: %s, for image %s: %w", executor.ErrRegistry, registry, name, err)
	}
}

// hubDomain is the registry of names that say none.
const hubDomain = "docker.io"

// missing says whether a registry that answered lacks the image. Docker Hub
// answers alike for an image that does not exist and for a private one
// without credentials; the first is by far more common, and the words say
// both. From any other registry the same words are a refusal.
func missing(registry string, err error, words string) bool {
	if registry != hubDomain && strings.Contains(words, "pull access denied") {
		return false
	}
	if cerrdefs.IsNotFound(err) || cerrdefs.IsInvalidArgument(err) {
		return true
	}
	for _, sign := range []string{
		"manifest unknown", "name unknown", "repository does not exist", "no matching manifest", "not found: manifest",
	} {
		if strings.Contains(words, sign) {
			return true
		}
	}
	return false
}
