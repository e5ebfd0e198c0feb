package docker

import (
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"cloudai/worker/internal/executor"
)

// usage samples containers: by the kernel's files where they can be read,
// else by a stream of the engine's statistics that is kept for as long as the
// container runs.
type usage struct {
	api     *client.Client
	cgroups cgroups

	mu      sync.Mutex
	streams map[string]*statStream // by id
	closed  bool
	wg      sync.WaitGroup // of running streams
}

func newUsage(api *client.Client) *usage {
	return &usage{api: api, cgroups: cgroups{root: os.DirFS("/sys/fs/cgroup")}, streams: map[string]*statStream{}}
}

// Usage samples a running container. Where only the engine's stream is to be
// had, the first call waits for its first sample.
func (e *Executor) Usage(ctx context.Context, id string) (executor.Usage, error) {
	if err := ctx.Err(); err != nil {
		return executor.Usage{}, err
	}
	if group, ok := e.usage.cgroups.find(id); ok {
		if sample, err := e.usage.cgroups.read(group); err == nil {
			return sample, nil
		}
	}
	if s := e.usage.running(id); s != nil {
		return s.sample(ctx)
	}
	c, err := e.Inspect(ctx, id)
	if err != nil || c.Phase != executor.PhaseRunning {
		return executor.Usage{}, err
	}
	s := e.usage.open(c.ID)
	if s == nil {
		return executor.Usage{}, nil
	}
	return s.sample(ctx)
}

// statStream is a container's kept stream of statistics.
type statStream struct {
	cancel context.CancelFunc
	first  chan struct{} // closed with the first sample, or the end

	mu   sync.Mutex
	last executor.Usage // zero at the end
}

// sample is the latest one.
func (s *statStream) sample(ctx context.Context) (executor.Usage, error) {
	select {
	case <-s.first:
	case <-ctx.Done():
		return executor.Usage{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, nil
}

func (s *statStream) set(u executor.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = u
}

// running returns the container's stream, if there is one.
func (u *usage) running(id string) *statStream {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.streams[id]
}

// open starts the container's stream; nil after close.
func (u *usage) open(id string) *statStream {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	if s := u.streams[id]; s != nil {
		return s
	}
	// It lives as long as the container, whoever asked first.
	ctx, cancel := context.WithCancel(context.Background())
	s := &statStream{cancel: cancel, first: make(chan struct{})}
	u.streams[id] = s
	u.wg.Go(func() {
		u.read(ctx, id, s)
		cancel()
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.streams[id] == s {
			delete(u.streams, id)
		}
	})
	return s
}

// read takes samples until the container or the context ends.
func (u *usage) read(ctx context.Context, id string, s *statStream) {
	var once sync.Once
	seen := func() { once.Do(func() { close(s.first) }) }
	defer seen()
	defer s.set(executor.Usage{})
	answer, err := u.api.ContainerStats(ctx, id, true)
	if err != nil {
		return // the next call asks for the container and sees why
	}
	defer answer.Body.Close()
	samples := json.NewDecoder(answer.Body)
	for {
		var raw container.StatsResponse
		if samples.Decode(&raw) != nil || raw.Read.IsZero() {
			return
		}
		s.set(convertStats(raw))
		seen()
	}
}

// convertStats reads what both cgroup versions have in common; the peak is
// told by version 1 only.
func convertStats(raw container.StatsResponse) executor.Usage {
	inactive := raw.MemoryStats.Stats["inactive_file"]
	if v1, ok := raw.MemoryStats.Stats["total_inactive_file"]; ok {
		inactive = v1
	}
	return executor.Usage{
		CPUSeconds: float64(raw.CPUStats.CPUUsage.TotalUsage) / 1e9,
		Memory:     float64(raw.MemoryStats.Usage-min(raw.MemoryStats.Usage, inactive)) / mib,
		MemoryPeak: float64(raw.MemoryStats.MaxUsage) / mib,
		Pids:       int64(raw.PidsStats.Current), //nolint:gosec // as many as a kernel can have
	}
}

// forget ends a removed container's stream.
func (u *usage) forget(id string) {
	if s := u.running(id); s != nil {
		s.cancel()
	}
}

// close ends all streams and waits for them.
func (u *usage) close() {
	u.mu.Lock()
	u.closed = true
	for _, s := range u.streams {
		s.cancel()
	}
	u.mu.Unlock()
	u.wg.Wait()
}
