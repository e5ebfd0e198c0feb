package docker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"

	"cloudai/worker/internal/executor"
)

// Who is to blame for a failed pull, by what engines say.
func TestPullError(t *testing.T) {
	none := errors.New("")
	denied := fmt.Errorf("pull access denied for x, repository does not exist or may require 'docker login': denied: no: %w", cerrdefs.ErrNotFound)
	for _, tc := range []struct {
		err  error
		want error
	}{
		{fmt.Errorf("manifest for r.example/x:1 not found: manifest unknown: manifest unknown: %w", cerrdefs.ErrNotFound), executor.ErrImage},
		{denied, executor.ErrRegistry},
		{fmt.Errorf("invalid reference format: %w", cerrdefs.ErrInvalidArgument), executor.ErrImage},
		{registryWords("no matching manifest for linux/amd64 in the manifest list entries"), executor.ErrImage},
		{errors.New("Get \"https://r.example/v2/\": dial tcp 192.0.2.1:443: connect: connection refused"), executor.ErrRegistry},
		{errors.New("Get \"https://r.example/v2/\": net/http: request canceled while waiting for connection"), executor.ErrRegistry},
		{errors.New("Get \"https://r.example/v2/\": unauthorized: authentication required"), executor.ErrRegistry},
		{errors.New("no basic auth credentials"), executor.ErrRegistry},
		{errors.New("toomanyrequests: You have reached your pull rate limit"), executor.ErrRegistry},
		{registryWords("unexpected EOF"), executor.ErrRegistry},
		{registryWords("failed to register layer: write /x: no space left on device"), none},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, executor.ErrEngine},
		{fmt.Errorf("starting up: %w", cerrdefs.ErrUnavailable), executor.ErrEngine},
	} {
		named, err := reference.ParseNormalizedNamed("r.example/x:1")
		if err != nil {
			t.Fatal(err)
		}
		got := pullError(t.Context(), named, tc.err)
		for _, sentinel := range []error{executor.ErrImage, executor.ErrRegistry, executor.ErrEngine} {
			if errors.Is(got, sentinel) != errors.Is(tc.want, sentinel) {
				t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
			}
		}
		if !strings.Contains(got.Error(), "r.example/x:1") {
			t.Errorf("%v does not name the image", got)
		}
	}
}

// What another registry says when it refuses, Docker Hub says of every name that
// it does not have.
func TestPullErrorOfTheHub(t *testing.T) {
	named, err := reference.ParseNormalizedNamed("x:1")
	if err != nil {
		t.Fatal(err)
	}
	denied := fmt.Errorf("pull access denied for x, repository does not exist or may require 'docker login': denied: no: %w", cerrdefs.ErrNotFound)
	if got := pullError(t.Context(), named, denied); !errors.Is(got, executor.ErrImage) || !strings.Contains(got.Error(), "docker.io") {
		t.Errorf("%v, want ErrImage with the names", got)
	}
}

func TestCredentialsFile(t *testing.T) {
	dir := t.TempDir()
	secret := base64.StdEncoding.EncodeToString([]byte("me:a:b"))
	write := func(config string) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"auths": {"https://index.docker.io/v1/": {"auth": "` + secret + `"}, "r.example:5000": {"identitytoken": "tok"}, "empty.example": {}},
		"credHelpers": {"h.example": "no/path"}}`)
	for domain, want := range map[string]registry.AuthConfig{
		"docker.io":      {Username: "me", Password: "a:b", ServerAddress: dockerHub},
		"r.example:5000": {IdentityToken: "tok", ServerAddress: "r.example:5000"},
	} {
		encoded, err := credentials(t.Context(), dir, domain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := registry.DecodeAuthConfig(encoded); err != nil || *got != want {
			t.Errorf("%s: %+v, %v; want %+v", domain, got, err, want)
		}
	}
	for _, domain := range []string{"empty.example", "r.example", "other.example"} {
		if got, err := credentials(t.Context(), dir, domain); err != nil || got != "" {
			t.Errorf("%s: %q, %v; want none", domain, got, err)
		}
	}
	if _, err := credentials(t.Context(), dir, "h.example"); err == nil {
		t.Error("a helper with a path was run")
	}
	if got, err := credentials(t.Context(), t.TempDir(), "docker.io"); err != nil || got != "" {
		t.Errorf("no file: %q, %v", got, err)
	}
	write("{")
	if _, err := credentials(t.Context(), dir, "docker.io"); err == nil {
		t.Error("a broken file was taken")
	}
	write(`{"auths": {"r.example": {"auth": "%%%"}}}`)
	if _, err := credentials(t.Context(), dir, "r.example"); err == nil || strings.Contains(err.Error(), "%%%") {
		t.Errorf("a broken secret: %v", err)
	}
}

func TestCredentialHelper(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	script := "#!/bin/sh\nread key\ncase $key in\ntok*) echo '{\"Username\":\"<token>\",\"Secret\":\"s\"}';;\n" +
		"none*) echo 'credentials not found in native keychain'; exit 1;;\nbad*) exit 1;;\n*) echo \"{\\\"Username\\\":\\\"u\\\",\\\"Secret\\\":\\\"$key\\\"}\";;\nesac\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credsStore": "test"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]registry.AuthConfig{
		"r.example":   {Username: "u", Password: "r.example", ServerAddress: "r.example"},
		"tok.example": {IdentityToken: "s", ServerAddress: "tok.example"},
	} {
		encoded, err := credentials(t.Context(), dir, domain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := registry.DecodeAuthConfig(encoded); err != nil || *got != want {
			t.Errorf("%s: %+v, %v; want %+v", domain, got, err, want)
		}
	}
	if got, err := credentials(t.Context(), dir, "none.example"); err != nil || got != "" {
		t.Errorf("%q, %v; want none", got, err)
	}
	if _, err := credentials(t.Context(), dir, "bad.example"); err == nil {
		t.Error("a failing helper is no error")
	}
}

func TestCgroups(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	want := executor.Usage{CPUSeconds: 1.5, Memory: 3, MemoryPeak: 8, Pids: 2}
	for name, root := range map[string]fstest.MapFS{
		"v1": {
			"cpu,cpuacct/docker/id/cpuacct.usage":         file("1500000000\n"),
			"memory/docker/id/memory.usage_in_bytes":      file("4194304\n"),
			"memory/docker/id/memory.max_usage_in_bytes":  file("8388608\n"),
			"memory/docker/id/memory.stat":                file("cache 5\ntotal_inactive_file 1048576\n"),
			"pids/docker/id/pids.current":                 file("2\n"),
			"memory/docker/other/memory.usage_in_bytes":   file("1\n"),
			"memory/docker/id/memory.limit_in_bytes":      file("max\n"),
			"cpu,cpuacct/docker/id/cpuacct.usage_percpu_": file("x"),
		},
		"v2": {
			"system.slice/docker-id.scope/cpu.stat":       file("usage_usec 1500000\nuser_usec 1\n"),
			"system.slice/docker-id.scope/memory.current": file("4194304\n"),
			"system.slice/docker-id.scope/memory.peak":    file("8388608\n"),
			"system.slice/docker-id.scope/memory.stat":    file("anon 1\ninactive_file 1048576\n"),
			"system.slice/docker-id.scope/pids.current":   file("2\n"),
		},
	} {
		c := cgroups{root: root}
		g, ok := c.find("id")
		if !ok {
			t.Errorf("%s: not found", name)
			continue
		}
		if got, err := c.read(g); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		if _, ok := c.find("gone"); ok {
			t.Errorf("%s: found what is not there", name)
		}
	}
}

func TestFail(t *testing.T) {
	sink := errors.New("the sink's")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{t.Context(), cerrdefs.ErrNotFound, executor.ErrNotFound},
		{t.Context(), context.DeadlineExceeded, executor.ErrEngine},
		{t.Context(), &net.OpError{Op: "dial", Err: errors.New("no such file")}, executor.ErrEngine},
		{t.Context(), sinkError{&net.OpError{Op: "x", Err: sink}}, sink},
		{ended, cerrdefs.ErrNotFound, context.Canceled},
		{t.Context(), nil, nil},
	} {
		if got := fail(tc.ctx, "doing", tc.err); !errors.Is(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
		}
	}
	if got := fail(t.Context(), "doing", sinkError{&net.OpError{Op: "x", Err: sink}}); errors.Is(got, executor.ErrEngine) {
		t.Errorf("a sink's error counts as the engine's: %v", got)
	}
}
