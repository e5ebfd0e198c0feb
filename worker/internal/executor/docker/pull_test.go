//go:build engine

package docker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"cloudai/worker/internal/executor"
)

// slowHub stands before the registry: it counts, holds back and asks for a
// password.
type slowHub struct {
	addr  string
	blobs atomic.Int64  // blobs asked for
	hold  chan struct{} // blobs wait for its closing
	begun chan struct{} // gets a value when a blob begins to wait
	user  string        // asked for when set, with the password "secret"
}

func startHub(t *testing.T, user string) *slowHub {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: hub.addr}
	forward := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	forward.Transport = transport
	h := &slowHub{hold: make(chan struct{}), begun: make(chan struct{}, 100), user: user}
	quit := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.user != "" {
			if u, p, _ := r.BasicAuth(); u != h.user || p != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
				return
			}
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			h.blobs.Add(1)
			h.begun <- struct{}{}
			select {
			case <-h.hold:
			case <-quit:
				return
			case <-r.Context().Done():
				return
			}
		}
		r.Host = target.Host
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(quit)
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	h.addr = server.Listener.Addr().String()
	return h
}

// publish pushes an image of one random layer to the registry, under a name
// of its own, and returns the name as the hub at addr knows it. The engine
// has it no more then.
func publish(t *testing.T, e *Executor, addr string) string {
	t.Helper()
	path := fmt.Sprintf("executortest/p%d-%d:1", os.Getpid(), time.Now().UnixNano())
	ctx, pushed := t.Context(), hub.addr+"/"+path
	layer := fmt.Sprintf("cloudai-executortest-%d:%d", os.Getpid(), time.Now().UnixNano())
	if err := importImage(ctx, e.api, layer, true, 3<<20); err != nil {
		t.Fatal(err)
	}
	if err := e.api.ImageTag(ctx, layer, pushed); err != nil {
		t.Fatal(err)
	}
	body, err := e.api.ImagePush(ctx, pushed, image.PushOptions{RegistryAuth: "e30="})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if words, err := io.ReadAll(body); err != nil || strings.Contains(string(words), "errorDetail") {
		t.Fatalf("%v: %s", err, words)
	}
	for _, name := range []string{layer, pushed} {
		if err := removeImage(e.api, name); err != nil {
			t.Fatal(err)
		}
	}
	name := addr + "/" + path
	t.Cleanup(func() { _ = removeImage(e.api, name) })
	return name
}

// F11: those who want one image share one pull and hear of its progress; one who
// leaves does not end it.
func TestF11SharedPull(t *testing.T) {
	e, h := open(t, Config{}), startHub(t, "")
	name := publish(t, e, h.addr)
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan error, 1)
	go func() { left <- e.EnsureImage(leaving, name, nil) }()
	<-h.begun
	var progressed atomic.Int64
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			var last executor.PullProgress
			err := e.EnsureImage(t.Context(), name, func(p executor.PullProgress) { last = p })
			if err != nil {
				t.Error(err)
			}
			if last.TotalBytes > 0 && last.DoneBytes == last.TotalBytes {
				progressed.Add(1)
			}
		})
	}
	waitFor(t, func() bool {
		e.images.mu.Lock()
		defer e.images.mu.Unlock()
		for _, p := range e.images.pulls {
			return p.waiters == 6
		}
		return false
	})
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(h.hold)
	wg.Wait()
	if n := progressed.Load(); n != 5 {
		t.Errorf("%d of 5 were told of the progress up to the end", n)
	}
	asked := h.blobs.Load()
	if asked > 2 { // the configuration and the layer
		t.Errorf("%d blobs were asked for", asked)
	}
	if err := open(t, Config{}).EnsureImage(t.Context(), name, nil); err != nil || h.blobs.Load() != asked {
		t.Errorf("once more: %v, %d blobs", err, h.blobs.Load()-asked)
	}
}

// When the last one leaves, the pull ends, and the next one starts anew.
func TestAbandonedPull(t *testing.T) {
	e, h := open(t, Config{}), startHub(t, "")
	name := publish(t, e, h.addr)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- e.EnsureImage(ctx, name, nil) }()
	<-h.begun
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	close(h.hold)
	if err := e.EnsureImage(t.Context(), name, nil); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// A pull without movement ends; so does one whose registry says nothing.
func TestStalledPull(t *testing.T) {
	h := startHub(t, "")
	e := open(t, Config{StallTimeout: time.Second})
	name := publish(t, e, h.addr)
	err := e.EnsureImage(t.Context(), name, nil)
	if !errors.Is(err, executor.ErrRegistry) || !strings.Contains(err.Error(), h.addr) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v, want ErrRegistry with the names", err)
	}
	if time.Second > e.cfg.RegistryTimeout {
		t.Error("no default for the registry's first word")
	}
	quit := make(chan struct{})
	quiet := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-quit:
		case <-r.Context().Done():
		}
	}))
	defer func() {
		close(quit)
		quiet.CloseClientConnections()
		quiet.Close()
	}()
	e = open(t, Config{RegistryTimeout: 500 * time.Millisecond})
	if err := e.EnsureImage(t.Context(), quiet.Listener.Addr().String()+"/x/y:1", nil); !errors.Is(err, executor.ErrRegistry) {
		t.Errorf("a silent registry: %v, want ErrRegistry", err)
	}
}

func TestCloseEndsPulls(t *testing.T) {
	h := startHub(t, "")
	e := open(t, Config{}) // and closes it once more, after the image is removed
	name := publish(t, e, h.addr)
	ended := make(chan error, 1)
	go func() { ended <- e.EnsureImage(t.Context(), name, nil) }()
	<-h.begun
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the pull went on")
	}
	if err := e.EnsureImage(t.Context(), name, nil); err == nil {
		t.Error("a pull after Close")
	}
}

func TestCredentials(t *testing.T) {
	h := startHub(t, "someone")
	close(h.hold)
	anonymous := open(t, Config{})
	name := publish(t, anonymous, h.addr)
	if err := anonymous.EnsureImage(t.Context(), name, nil); !errors.Is(err, executor.ErrRegistry) {
		t.Errorf("without credentials: %v, want ErrRegistry", err)
	}
	dir := t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte("someone:secret"))
	config := fmt.Sprintf(`{"auths": {"http://%s/v2/": {"auth": %q}}}`, h.addr, auth)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, Config{ConfigDir: dir}).EnsureImage(t.Context(), name, nil); err != nil {
		t.Errorf("with credentials: %v", err)
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !condition() {
		if err := pause(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func emptyFS(t *testing.T) fs.FS { return os.DirFS(t.TempDir()) }
