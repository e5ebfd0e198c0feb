//go:build engine

package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/worker/internal/executor"
)

// What the container sees of its limits must be what the spec asks for.
func TestLimitsInside(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.CPU, spec.Memory, spec.ShmSize = 0.5, 48, 8
	spec.Env = map[string]string{"B": "two words", "A": "x=y"}
	spec.Command = `
grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status
cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null | cut -d' ' -f1
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
df -k /dev/shm | awk 'END{print "shm", $2}'
ls /sys/class/net | sort | tr '\n' ' '
echo "env $A $B $FROM_IMAGE"; echo "pid1 $(cat /proc/1/comm)"; pwd`
	c, out, errs, err := run(t, open(t, Config{}), spec)
	if err != nil || c.ExitCode != 0 {
		t.Fatalf("%+v, %v\n%s", c, err, errs)
	}
	for _, want := range []string{
		"CapEff:\t00000000000004fb", "NoNewPrivs:\t1", "Seccomp:\t2", "\n50000\n", "\n50331648\n", "\n1024\n",
		"shm 8192\n", "lo env x=y two words yes\n", "pid1 docker-init\n", "/tmp\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "eth0") {
		t.Errorf("a network where there should be none:\n%s", out)
	}
}

func TestBridge(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.Network, spec.Args = "bridge", []string{"ls", "/sys/class/net"}
	if _, out, _, err := run(t, open(t, Config{}), spec); err != nil || !strings.Contains(out, "eth0") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMoreCPUThanTheHost(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.CPU, spec.Args = 4096, []string{"true"}
	if c, _, _, err := run(t, open(t, Config{}), spec); err != nil || c.ExitCode != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	spec = newSpec(t)
	spec.CPU, spec.Args = 0.001, []string{"true"}
	if _, host, err := describe(spec); err != nil || host.CPUQuota != 1000 {
		t.Errorf("quota %d, %v; want the least the kernel takes", host.CPUQuota, err)
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	e := open(t, Config{})
	for name, tc := range map[string]struct {
		change func(*executor.Spec)
		want   string
	}{
		"the image's own": {func(*executor.Spec) {}, "the image's own\n"},
		"args":            {func(s *executor.Spec) { s.Args = []string{"echo", "a b", "$HOME"} }, "a b $HOME\n"},
		"command":         {func(s *executor.Spec) { s.Command = "echo a | tr a b" }, "b\n"},
		"workdir":         {func(s *executor.Spec) { s.Command, s.Workdir = "pwd", "/made/up" }, "/made/up\n"},
	} {
		spec := newSpec(t)
		tc.change(&spec)
		if c, out, errs, err := run(t, e, spec); err != nil || c.ExitCode != 0 || out != tc.want {
			t.Errorf("%s: %+v, %v, %q %q", name, c, err, out, errs)
		}
	}
	spec := newSpec(t)
	spec.Args = []string{"/bin/nothing-there"}
	if c, _, errs, err := run(t, e, spec); err != nil || c.ExitCode != 127 || errs == "" {
		t.Errorf("no such program: %+v, %v, %q", c, err, errs)
	}
}

func TestNoShell(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.Image, spec.Command = noShellImage, "echo hi"
	if _, _, _, err := run(t, open(t, Config{}), spec); err == nil || !strings.Contains(err.Error(), "args") {
		t.Errorf("%v, want the advice to use args", err)
	}
	spec = newSpec(t)
	spec.Command = "exit 127"
	if c, _, _, err := run(t, open(t, Config{}), spec); err != nil || c.ExitCode != 127 {
		t.Errorf("127 of a shell: %+v, %v", c, err)
	}
}

func TestRefusedSpecs(t *testing.T) {
	t.Parallel()
	e := open(t, Config{})
	for name, change := range map[string]func(*executor.Spec){
		"network":       func(s *executor.Spec) { s.Network = "host" },
		"both programs": func(s *executor.Spec) { s.Command, s.Args = "a", []string{"b"} },
		"NUL in env":    func(s *executor.Spec) { s.Env = map[string]string{"A": "x\x00y"} },
		"= in a name":   func(s *executor.Spec) { s.Env = map[string]string{"A=B": "x"} },
		"long argument": func(s *executor.Spec) { s.Args = []string{"echo", strings.Repeat("x", maxArg+1)} },
		"no output":     func(s *executor.Spec) { s.OutputDir += "/not-there" },
		"little memory": func(s *executor.Spec) { s.Memory = 1 },
	} {
		spec := newSpec(t)
		change(&spec)
		if _, _, _, err := run(t, e, spec); err == nil || errors.Is(err, executor.ErrEngine) || errors.Is(err, executor.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	spec := newSpec(t)
	spec.Args = []string{"echo", "-n", strings.Repeat("x", maxArg)}
	if c, out, _, err := run(t, e, spec); err != nil || c.ExitCode != 0 || len(out) != maxArg {
		t.Errorf("the longest argument: %+v, %v, %d bytes", c, err, len(out))
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.Inputs = []executor.Input{
		{Path: "/deep/er/a.txt", Content: []byte("absolute")},
		{Path: "b.txt", Content: []byte("relative")},
		{Path: "/output/c.txt", Content: []byte("output")},
		{Path: "../../../../d.txt", Content: []byte("confined")},
	}
	spec.Command = "cat /deep/er/a.txt b.txt /output/c.txt /d.txt; ls -l b.txt | cut -c1-10"
	c, out, errs, err := run(t, open(t, Config{}), spec)
	if want := "absoluterelativeoutputconfined-rw-r--r--\n"; err != nil || out != want {
		t.Errorf("%+v, %v, %q %q; want %q", c, err, out, errs, want)
	}
	if data, err := os.ReadFile(filepath.Join(spec.OutputDir, "c.txt")); err != nil || string(data) != "output" {
		t.Errorf("%q, %v", data, err)
	}
}

// A worker killed between the creation and the inputs leaves a container that
// must not run without them.
func TestHalfMade(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.Inputs = []executor.Input{{Path: "/in.txt", Content: []byte("here")}}
	spec.Command = "cat /in.txt"
	killed := open(t, Config{})
	ctx := t.Context()
	makeHalf := func() string {
		name, err := spec.Key.Name()
		if err != nil {
			t.Fatal(err)
		}
		config, host, err := describe(spec)
		if err != nil {
			t.Fatal(err)
		}
		made, err := killed.api.ContainerCreate(ctx, config, host, nil, nil, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = killed.Remove(context.Background(), made.ID) })
		return made.ID
	}
	id := makeHalf()
	e := open(t, Config{})
	if _, err := e.Run(ctx, id, executor.Offsets{}, nil, nil); !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("Run: %v, want ErrNotFound", err)
	}
	// Listing leaves it: a worker with the same id in another cluster may be about
	// to fill it.
	if found, err := e.List(ctx, spec.WorkerID); err != nil || len(found) != 1 || !found[0].HalfMade {
		t.Errorf("List: %+v, %v", found, err)
	}
	if c, out, _, err := run(t, e, spec); err != nil || c.ID != id || out != "here" {
		t.Errorf("adopted by Create: %+v, %v, %q", c, err, out)
	}
}

func TestForeignContainerHasTheName(t *testing.T) {
	t.Parallel()
	e, spec := open(t, Config{}), newSpec(t)
	name, err := spec.Key.Name()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := e.api.ContainerCreate(t.Context(), &container.Config{Image: testImage}, nil, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), foreign.ID) })
	if _, _, _, err := run(t, e, spec); !errors.Is(err, executor.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
	if _, err := e.Inspect(t.Context(), foreign.ID); err != nil {
		t.Errorf("the foreign container: %v", err)
	}
}

// An image that goes after it was seen is noticed.
func TestImageGoesMeanwhile(t *testing.T) {
	t.Parallel()
	e, spec := open(t, Config{}), newSpec(t)
	spec.Image = hub.addr + "/executortest/gone:1"
	e.images.note(spec.Image)
	if _, _, _, err := run(t, e, spec); !errors.Is(err, executor.ErrImage) {
		t.Errorf("%v, want ErrImage", err)
	}
}

func TestOutputBelongsToAnyUser(t *testing.T) {
	t.Parallel()
	spec := newSpec(t)
	spec.Command = "mkdir /output/d && echo x > /output/d/f && chown -R 1234:1234 /output/d && ls -ld /output | cut -c1-10"
	c, out, errs, err := run(t, open(t, Config{}), spec)
	if err != nil || c.ExitCode != 0 || out != "drwxrwxrwt\n" {
		t.Errorf("%+v, %v, %q %q", c, err, out, errs)
	}
}

// The same bytes must come from the attached and from the stored log,
// whatever they are.
func TestBinaryLog(t *testing.T) {
	t.Parallel()
	e := open(t, Config{})
	for i, script := range []string{
		"head -c 3000000 /dev/urandom",
		"head -c 100000 /dev/zero",
		"head -c 16384 /dev/zero; echo; echo short",
		"head -c 16383 /dev/zero; echo; head -c 16385 /dev/zero; echo; echo end",
		"head -c 32768 /dev/zero; echo; echo; echo; head -c 49152 /dev/zero; echo; echo -n open",
		"for i in 1 2 3 4 5; do head -c 20000 /dev/zero; echo; head -c 20000 /dev/zero >&2; echo >&2; done; echo; echo >&2",
		"printf 'a\\r\\nb\\n\\n\\nc'; sleep 0.3; printf 'd\\n'; printf x >&2",
		"i=0; while [ $i -lt 300 ]; do echo $i; echo $i >&2; i=$((i+1)); done",
	} {
		spec := newSpec(t)
		spec.Command = script
		spec.Key.TaskID += fmt.Sprint("-", i)
		c, out, errs, err := run(t, e, spec)
		if err != nil {
			t.Fatal(err)
		}
		var stored [3]bytes.Buffer
		off, err := e.Logs(t.Context(), c.ID, executor.Offsets{}, func(chunk executor.LogChunk) error {
			stored[chunk.Stream].Write(chunk.Data)
			return nil
		})
		if err != nil || off.Stdout != int64(len(out)) || off.Stderr != int64(len(errs)) {
			t.Errorf("%s: stored up to %+v, %v; live %d and %d", script, off, err, len(out), len(errs))
		}
		if sha256.Sum256([]byte(out)) != sha256.Sum256(stored[1].Bytes()) || errs != stored[2].String() {
			t.Errorf("%s: the stored log differs", script)
		}
	}
}

// An unfinished line comes soon, and is not waited for.
func TestUnfinishedLine(t *testing.T) {
	t.Parallel()
	e, spec := open(t, Config{}), newSpec(t)
	spec.Command = "printf 'name? '; exec sleep 60"
	c, err := e.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), c.ID) })
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = e.Run(ctx, c.ID, executor.Offsets{}, nil, func(chunk executor.LogChunk) error {
		if string(chunk.Data) != "name? " {
			t.Errorf("%q", chunk.Data)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("Run: %v", err)
	}
}

func TestNoEngine(t *testing.T) {
	t.Parallel()
	e := open(t, Config{Host: "unix://" + filepath.Join(t.TempDir(), "no.sock")})
	ctx, spec := t.Context(), newSpec(t)
	_, info := e.Info(ctx)
	_, create := e.Create(ctx, spec)
	_, inspect := e.Inspect(ctx, "x")
	_, list := e.List(ctx, "w")
	_, logs := e.Logs(ctx, "x", executor.Offsets{}, nil)
	_, run := e.Run(ctx, "x", executor.Offsets{}, nil, nil)
	_, sample := e.Usage(ctx, "x")
	for name, err := range map[string]error{
		"Ping": e.Ping(ctx), "Info": info, "Create": create, "Inspect": inspect, "List": list, "Logs": logs, "Run": run,
		"Usage": sample, "Stop": e.Stop(ctx, "x", time.Second), "Kill": e.Stop(ctx, "x", 0), "Remove": e.Remove(ctx, "x"),
		"EnsureImage": e.EnsureImage(ctx, "busybox", nil),
	} {
		if !errors.Is(err, executor.ErrEngine) {
			t.Errorf("%s: %v, want ErrEngine", name, err)
		}
	}
}
