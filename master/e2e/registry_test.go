//go:build engine

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"cloudai/master/e2e/rig"
)

// registry starts an empty registry on loopback and gives its address.
func registry(t *testing.T) string {
	t.Helper()
	program, err := script("registry.sh")
	must(t, err)
	address, err := rig.FreeAddress()
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

// A registry that answers and lacks the image: image, at once.
func testImageAbsent(t *testing.T, w *world) {
	address := registry(t)
	r := w.small("true")
	r.DockerImage = address + "/no/such:image"
	task := w.failed(t, w.submit(t, r), "image")
	if !strings.Contains(task.Message, r.DockerImage) && !(strings.Contains(task.Message, address) && strings.Contains(task.Message, "no/such")) {
		t.Errorf("the message names not both registry and image: %q", task.Message)
	}
	if task.ExitCode != nil {
		t.Errorf("there is an exit code: %d", *task.ExitCode)
	}
	if took := task.FinishedAt.Sub(task.CreatedAt); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A registry that cannot be reached: registry, after several tries within 30 s.
func testRegistryRefuses(t *testing.T, w *world) {
	address, err := rig.FreeAddress()
	must(t, err)
	r := w.small("true")
	r.DockerImage = address + "/some/image:latest"
	task := w.failed(t, w.submit(t, r), "registry")
	if !strings.Contains(task.Message, address) || !strings.Contains(task.Message, "some/image") {
		t.Errorf("the message names not both registry and image: %q", task.Message)
	}
	if took := task.FinishedAt.Sub(task.CreatedAt); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A registry that takes calls and never says a word is unreachable too.
func testRegistrySilent(t *testing.T, w *world) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	r := w.small("true")
	r.DockerImage = l.Addr().String() + "/some/image:latest"
	task := w.failed(t, w.submit(t, r), "registry")
	if took := task.FinishedAt.Sub(task.CreatedAt); took > 32*time.Second {
		t.Errorf("it took %s", took)
	}
}

// An image that the engine lacks is pulled; several tasks share the pull.
func testImagePulled(t *testing.T, w *world) {
	name := registry(t) + "/e2e/busybox:1"
	must(t, w.engine.ImageTag(t.Context(), w.image, name))
	pushed, err := w.engine.ImagePush(t.Context(), name, image.PushOptions{RegistryAuth: "e30="})
	must(t, err)
	answer, err := io.ReadAll(pushed)
	must(t, err)
	must(t, pushed.Close())
	if strings.Contains(string(answer), `"error"`) {
		t.Fatalf("the push failed: %s", answer)
	}
	_, err = w.engine.ImageRemove(t.Context(), name, image.RemoveOptions{})
	must(t, err)
	w.removeImageLater(t, name)
	var ids []string
	for range 3 {
		r := w.small("echo from a registry")
		r.DockerImage = name
		ids = append(ids, w.submit(t, r))
	}
	for _, id := range ids {
		w.succeeded(t, id)
		if log := w.log(t, id, ""); log != "from a registry\n" {
			t.Errorf("the log is %q", log)
		}
	}
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
