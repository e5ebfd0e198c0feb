//go:build engine

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"go.uber.org/goleak"

	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/executortest"
)

// The tests make their own image from a static busybox, push
// copies to a registry of their own, and remove by name what they made.
var (
	testImage    = fmt.Sprintf("cloudai-executortest-%d:made", os.Getpid())
	refusedImage = fmt.Sprintf("cloudai-executortest-%d:refused", os.Getpid()) // no container of it can start
	noShellImage = fmt.Sprintf("cloudai-executortest-%d:noshell", os.Getpid())
)

// hub is the registry of the tests.
var hub *testRegistry

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	ctx := context.Background()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return 1, err
	}
	defer api.Close()
	defer func() { err = errors.Join(err, removeImages(api)) }()
	for _, made := range []struct {
		name    string
		shell   bool
		changes []string
	}{
		{testImage, true, nil},
		{refusedImage, true, []string{"USER nobody-there"}},
		{noShellImage, false, nil},
	} {
		if err := importImage(ctx, api, made.name, made.shell, 0, made.changes...); err != nil {
			return 1, fmt.Errorf("making a test image (is a Docker engine running?): %w", err)
		}
	}
	if hub, err = startRegistry(ctx); err != nil {
		return 1, fmt.Errorf("starting a registry: %w", err)
	}
	defer hub.stop()
	before := goleak.IgnoreCurrent()
	code = m.Run()
	if code == 0 {
		if err := goleak.Find(before); err != nil {
			return 1, err
		}
	}
	return code, nil
}

// program is the path of a program that a script of the set-up finds, or
// fetches.
func program(script string) (string, error) {
	const setup = "../../../../.tools/setup/"
	out, err := exec.Command(setup + script).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("%s: %w: %s", script, err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// importImage makes an image of busybox with or without a shell, and so many
// random bytes.
func importImage(ctx context.Context, api *client.Client, name string, shell bool, random int, changes ...string) error {
	busybox, err := program("busybox.sh")
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	write := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err == nil {
			err = w.WriteHeader(h)
		}
		if err == nil {
			_, err = w.Write(data)
		}
	}
	write(&tar.Header{Name: "bin/busybox", Mode: 0o755}, binary)
	write(&tar.Header{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir}, nil)
	if random > 0 {
		data := make([]byte, random)
		_, _ = rand.Read(data)
		write(&tar.Header{Name: "random", Mode: 0o644}, data)
	}
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" && (shell || applet != "sh") {
			write(&tar.Header{Name: "bin/" + applet, Linkname: "busybox", Typeflag: tar.TypeSymlink}, nil)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	body, err := api.ImageImport(ctx, image.ImportSource{Source: &buf, SourceName: "-"}, name,
		image.ImportOptions{Changes: append(changes, "ENV PATH=/bin", "ENV FROM_IMAGE=yes", "WORKDIR /tmp", `CMD ["echo", "the image's own"]`)})
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

// removeImages removes what runTests made of them.
func removeImages(api *client.Client) error {
	var errs []error
	for _, name := range []string{testImage, refusedImage, noShellImage} {
		if err := removeImage(api, name); err != nil && !cerrdefs.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func removeImage(api *client.Client, name string) error {
	_, err := api.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true, PruneChildren: true})
	return err
}

func open(t *testing.T, cfg Config) *Executor {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) {
	executortest.Run(t, func(t *testing.T) (executor.Executor, executortest.Options) {
		return open(t, Config{}), executortest.Options{
			Image:       testImage,
			Absent:      hub.addr + "/executortest/nothing:1",
			Unreachable: "127.0.0.1:1/executortest/nothing:1",
			Apply:       apply,
			Reopen:      func(t *testing.T) executor.Executor { return open(t, Config{}) },
			Slow:        true,
		}
	})
}

// apply writes a program for the shell.
func apply(spec *executor.Spec, b executortest.Behavior) {
	var script strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&script, format+"\n", args...) }
	if b.IgnoreTerm {
		line("trap '' TERM")
	}
	for i := range b.Output {
		line("echo %d > /output/file-%d", i, i)
	}
	lines := func(from, to int) {
		if from <= to {
			line(`awk 'BEGIN{for(i=%d;i<=%d;i++){s="line " i;while(length(s)<15)s=s ".";if(i%%10)print s;else print s>"/dev/stderr"}}'`, from, to)
		}
	}
	if b.Sleep > 0 {
		lines(1, b.Lines/2)
		line("sleep %g", b.Sleep.Seconds())
		lines(b.Lines/2+1, b.Lines)
	} else {
		lines(1, b.Lines)
	}
	if b.OOM {
		line(`exec awk 'BEGIN{s="0123456789abcdef";while(1)s=s s}'`)
	}
	if b.Refused {
		spec.Image = refusedImage
	}
	line("exit %d", b.Exit)
	spec.Command = script.String()
}

// run runs a container of the spec to its end and returns it with its log.
func run(t *testing.T, e *Executor, spec executor.Spec) (executor.Container, string, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := e.Create(ctx, spec)
	if err != nil {
		return executor.Container{}, "", "", err
	}
	id := c.ID
	t.Cleanup(func() {
		if err := e.Remove(context.Background(), id); err != nil {
			t.Error(err)
		}
	})
	var out, errs strings.Builder
	c, err = e.Run(ctx, id, executor.Offsets{}, nil, func(chunk executor.LogChunk) error {
		if chunk.Stream == executor.Stderr {
			errs.Write(chunk.Data)
		} else {
			out.Write(chunk.Data)
		}
		return nil
	})
	return c, out.String(), errs.String(), err
}

// newSpec describes a container of the test's own.
func newSpec(t *testing.T) executor.Spec {
	t.Helper()
	out, err := os.MkdirTemp("", "executortest-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(out, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(out); err != nil {
			t.Error(err)
		}
	})
	id := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	return executor.Spec{
		Key:      executor.Key{ClusterID: "executortest", TaskID: "t" + id, Attempt: 1, Lease: "lease" + id},
		WorkerID: "w" + id, Image: testImage, CPU: 1, Memory: 64, Network: "none",
		Grace: 5 * time.Second, LogLimit: 64 << 20, OutputDir: out,
	}
}
