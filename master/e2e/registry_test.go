//go:build engine

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
	"cloudai/master/internal/freeport"
)

// registry starts an empty registry on loopback and gives its address.
func registry(t *testing.T) string {
	t.Helper()
	program, err := script("registry.sh")
	must(t, err)
	address, err := freeport.Address()
	must(t, err)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: %s\n",
		filepath.Join(dir, "images"), address), 0o644))
	p, err := rig.Start("registry", []string{program, "serve", config}, nil, dir, filepath.Join(dir, "log"))
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("--- registry\n%s", p.Tail(4<<10))
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	await(t, 30*time.Second, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
	return address
}

// stub is a registry that answers every call alike, and counts the tries.
type stub struct {
	address string
	mu      sync.Mutex
	tries   []time.Time
}

// stubbed starts one. Each try of an engine's begins with /v2/.
func stubbed(t *testing.T, status int, code string) *stub {
	t.Helper()
	s := &stub{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			s.mu.Lock()
			s.tries = append(s.tries, time.Now())
			s.mu.Unlock()
			return // 200: it is a registry, and asks for no password here
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"the stub says %d"}]}`, code, status)
	}))
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// F10 and F11: what registries do to tasks.
func TestF10Registries(t *testing.T) {
	t.Parallel() // it mostly waits
	w, _ := newCluster(t, "8")
	for name, test := range map[string]func(*testing.T, *world){
		"Absent":       testImageAbsent,
		"Refused401":   func(t *testing.T, w *world) { testRegistrySaysNo(t, w, http.StatusUnauthorized, "UNAUTHORIZED") },
		"Refused403":   func(t *testing.T, w *world) { testRegistrySaysNo(t, w, http.StatusForbidden, "DENIED") },
		"Limited429":   func(t *testing.T, w *world) { testRegistrySaysNo(t, w, http.StatusTooManyRequests, "TOOMANYREQUESTS") },
		"Broken500":    func(t *testing.T, w *world) { testRegistrySaysNo(t, w, http.StatusInternalServerError, "UNKNOWN") },
		"Unreachable":  testRegistryRefuses,
		"Silent":       testRegistrySilent,
		"F11OnePull":   testOnePull,
		"F11GoesAlone": testPullGoesAlone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// registryFailed is a task's failure for its registry's sake, with both names
// in the message, within the time that the tries may take.
func (w *world) registryFailed(t *testing.T, address string) client.Task {
	t.Helper()
	r := w.small("true")
	r.DockerImage = address + "/some/image:latest"
	task := w.failed(t, w.submit(t, r), "registry")
	if !strings.Contains(task.Message, address) || !strings.Contains(task.Message, "some/image") {
		t.Errorf("the message names not both registry and image: %q", task.Message)
	}
	if task.ExitCode != nil || len(task.Attempts) != 1 {
		t.Errorf("%s, %d attempts", describe(task), len(task.Attempts))
	}
	if took := task.FinishedAt.Sub(task.CreatedAt); took > 31*time.Second {
		t.Errorf("it took %s", took)
	}
	return task
}

// A registry that answers and lacks the image: image, at once.
func testImageAbsent(t *testing.T, w *world) {
	address := registry(t)
	r := w.small("true")
	r.DockerImage = address + "/no/such:image"
	task := w.failed(t, w.submit(t, r), "image")
	if !strings.Contains(task.Message, address) || !strings.Contains(task.Message, "no/such") {
		t.Errorf("the message names not both registry and image: %q", task.Message)
	}
	if task.ExitCode != nil || strings.Contains(task.Message, "tried") {
		t.Errorf("an exit code, or several tries: %s", describe(task))
	}
	if took := task.FinishedAt.Sub(task.CreatedAt); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A registry that refuses, rates or fails: registry, after three tries whose
// pauses grow.
func testRegistrySaysNo(t *testing.T, w *world, status int, code string) {
	s := stubbed(t, status, code)
	task := w.registryFailed(t, s.address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tries) != 3 {
		t.Fatalf("%d tries: %q", len(s.tries), task.Message)
	}
	first, second := s.tries[1].Sub(s.tries[0]), s.tries[2].Sub(s.tries[1])
	if first < 500*time.Millisecond || second < time.Second {
		t.Errorf("the pauses are %s and %s", first, second)
	}
	t.Logf("after %s and %s: %s", first.Round(time.Millisecond), second.Round(time.Millisecond), task.Message)
}

// A registry that cannot be reached: registry, after several tries within 30 s.
func testRegistryRefuses(t *testing.T, w *world) {
	address, err := freeport.Address()
	must(t, err)
	if task := w.registryFailed(t, address); !strings.Contains(task.Message, "tried 3 times") {
		t.Errorf("%q", task.Message)
	}
}

// A registry that takes calls and never says a word is unreachable too.
func testRegistrySilent(t *testing.T, w *world) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	if task := w.registryFailed(t, l.Addr().String()); !strings.Contains(task.Message, "tried 3 times") {
		t.Errorf("%q", task.Message)
	}
}

// slowRegistry stands before a registry, holds the contents of its layers back
// and counts how often they are asked for.
type slowRegistry struct {
	address string
	pace    chan struct{} // each value lets a piece of a large layer through
	mu      sync.Mutex
	asked   map[string]int
}

const (
	slowPiece = 1 << 20
	bigLayer  = 8 * slowPiece
)

func slowed(t *testing.T, behind string) *slowRegistry {
	t.Helper()
	s := &slowRegistry{pace: make(chan struct{}), asked: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+behind+r.URL.RequestURI(), nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		request.Header = r.Header.Clone()
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			s.mu.Lock()
			s.asked[r.URL.Path]++
			s.mu.Unlock()
		}
		for answer.ContentLength >= bigLayer {
			if _, err := io.CopyN(w, answer.Body, slowPiece); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-s.pace:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.address = server.Listener.Addr().String()
	return s
}

// counts is how often each layer was asked for.
func (s *slowRegistry) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asked)
}

// published pushes an image with a large layer to a new registry, takes it out
// of the engine again, and gives its name at a slow one before it.
func (w *world) published(t *testing.T) (*slowRegistry, string) {
	t.Helper()
	behind := registry(t)
	s := slowed(t, behind)
	name := behind + "/e2e/big:1"
	w.pushBig(t, name)
	name = s.address + "/e2e/big:1"
	w.removeImageLater(t, name)
	return s, name
}

// pushBig makes an image of the test image's files and a large random one, and
// pushes it.
func (w *world) pushBig(t *testing.T, name string) {
	t.Helper()
	made, err := w.engine.ContainerCreate(t.Context(), &container.Config{Image: w.image}, nil, nil, nil, "")
	must(t, err)
	defer func() {
		must(t, w.engine.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, container.RemoveOptions{Force: true}))
	}()
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	must(t, files.WriteHeader(&tar.Header{Name: "big", Mode: 0o644, Size: 2 * bigLayer}))
	_, err = io.CopyN(files, rand.Reader, 2*bigLayer) // does not compress
	must(t, errors.Join(err, files.Close()))
	must(t, w.engine.CopyToContainer(t.Context(), made.ID, "/", &layer, container.CopyToContainerOptions{}))
	_, err = w.engine.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: name})
	must(t, err)
	pushed, err := w.engine.ImagePush(t.Context(), name, image.PushOptions{RegistryAuth: "e30="})
	must(t, err)
	answer, err := io.ReadAll(pushed)
	must(t, errors.Join(err, pushed.Close()))
	if strings.Contains(string(answer), `"error"`) {
		t.Fatalf("the push failed: %s", answer)
	}
	_, err = w.engine.ImageRemove(t.Context(), name, image.RemoveOptions{})
	must(t, err)
}

// Many tasks want an image that the engine lacks: one pull, whose progress all
// of them show; cancelling one leaves the others; nothing runs out while bytes
// move.
func testOnePull(t *testing.T, w *world) {
	s, name := w.published(t)
	var ids []string
	for range 5 {
		r := w.small("echo from a registry")
		r.DockerImage, r.CPURequired = name, ptr(0.2)
		ids = append(ids, w.submit(t, r))
	}
	progress := func(id string) (done int64) {
		await(t, verdict, func(ctx context.Context) error {
			task, err := w.API().Task(ctx, id)
			if err != nil {
				return err
			}
			if task.Progress == nil || task.Progress.TotalBytes < bigLayer || task.Progress.DoneBytes == 0 {
				return fmt.Errorf("task %s shows no progress: %s, %+v", id, describe(task), task.Progress)
			}
			done = task.Progress.DoneBytes
			return nil
		})
		return done
	}
	before := map[string]int64{}
	for _, id := range ids {
		before[id] = progress(id)
	}
	_, err := w.API().Cancel(t.Context(), ids[0]) // the one that began it, most likely
	must(t, err)
	if task := w.ended(t, ids[0]); task.Status != "cancelled" {
		t.Error(describe(task))
	}
	for range 3 {
		s.pace <- struct{}{}
	}
	for _, id := range ids[1:] {
		await(t, verdict, func(context.Context) error {
			if now := progress(id); now <= before[id] {
				return fmt.Errorf("task %s still shows %d bytes", id, now)
			}
			return nil
		})
	}
	close(s.pace)
	for _, id := range ids[1:] {
		if task := w.succeeded(t, id); task.Attempts[0].PulledBytes < bigLayer {
			t.Errorf("task %s: %d bytes of the pull were kept", id, task.Attempts[0].PulledBytes)
		}
		if log := w.log(t, id, ""); log != "from a registry\n" {
			t.Errorf("the log is %q", log)
		}
	}
	for layer, n := range s.counts() {
		if n != 1 {
			t.Errorf("%s was asked for %d times", layer, n)
		}
	}
	if len(s.counts()) == 0 {
		t.Error("nothing was asked for")
	}
}

// The last one who wanted an image is cancelled: the pull ends, and the next
// task gets another.
func testPullGoesAlone(t *testing.T, w *world) {
	s, name := w.published(t)
	r := w.small("true")
	r.DockerImage = name
	id := w.submit(t, r)
	await(t, verdict, func(context.Context) error {
		if len(s.counts()) == 0 {
			return errors.New("no layer was asked for")
		}
		return nil
	})
	asked := time.Now()
	_, err := w.API().Cancel(t.Context(), id)
	must(t, err)
	if task := w.ended(t, id); task.Status != "cancelled" || time.Since(asked) > 10*time.Second {
		t.Errorf("after %s: %s", time.Since(asked), describe(task))
	}
	close(s.pace)
	w.succeeded(t, w.submit(t, r))
}

// removeImageLater takes a test's own image out of the engine when the test
// ends. A container may keep it for a moment: the worker removes it after the
// master has its result.
func (w *world) removeImageLater(t *testing.T, name string) {
	t.Cleanup(func() {
		must(t, rig.Await(context.WithoutCancel(t.Context()), 10*time.Second, func(ctx context.Context) error {
			_, err := w.engine.ImageRemove(ctx, name, image.RemoveOptions{})
			return err
		}))
	})
}
