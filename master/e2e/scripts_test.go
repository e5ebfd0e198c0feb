//go:build engine

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
	"cloudai/master/internal/freeport"
)

// checkout is a copy of what the start scripts need of the repository, reached
// from another folder by links, without any settings of this one's.
type checkout struct {
	dir   string // the copy; its name has a blank
	links string // folder with links to the scripts
	here  string // where the caller is
	env   []string
	count int
}

func newCheckout(t *testing.T, settings ...string) *checkout {
	t.Helper()
	top := t.TempDir()
	c := &checkout{dir: filepath.Join(top, "a copy"), links: filepath.Join(top, "links"), here: filepath.Join(top, "here")}
	for _, dir := range []string{c.dir, c.links, c.here, filepath.Join(c.dir, "worker")} {
		must(t, os.Mkdir(dir, 0o755))
	}
	bin, err := filepath.Abs(binaries())
	must(t, err)
	must(t, os.Symlink(bin, filepath.Join(c.dir, "bin")))
	must(t, os.CopyFS(filepath.Join(c.dir, ".tools"), os.DirFS(filepath.Join(root, ".tools"))))
	for _, name := range []string{"runMaster.sh", "runWorker.sh", "go.work"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		must(t, err)
		path := filepath.Join(c.dir, name)
		must(t, os.WriteFile(path, content, 0o755))
		must(t, os.Chtimes(path, time.Time{}, time.Unix(1e9, 0))) // older than what was built
		// A link to a link, both of them relative.
		must(t, os.Symlink(filepath.Join("..", "a copy", name), filepath.Join(c.links, "first-"+name)))
		must(t, os.Symlink("first-"+name, filepath.Join(c.links, name)))
	}
	c.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.here, "EXECUTOR=fake", "WORKER_CPU=4", "WORKER_MEMORY=4g", "WORKER_STORAGE=4g",
	}, settings...)
	return c
}

// start runs a script from the caller's folder until the test ends.
func (c *checkout) start(t *testing.T, script string, args ...string) *rig.Process {
	t.Helper()
	c.count++
	p, err := rig.Start(script, append([]string{filepath.Join(c.links, script)}, args...), c.env, c.here,
		filepath.Join(c.here, fmt.Sprintf("%d.log", c.count)))
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s %q:\n%s", script, args, p.Tail(8<<10))
		}
		must(t, p.Kill())
	})
	return p
}

// ends runs a script to its end and checks how it ends and what it says.
func (c *checkout) ends(t *testing.T, code int, says string, script string, args ...string) {
	t.Helper()
	p := c.start(t, script, args...)
	must(t, p.Await(orderly))
	if said := p.Tail(8 << 10); p.ExitCode() != code || !strings.Contains(said, says) {
		t.Errorf("%s %q ended with %d, not %d, or did not say %q:\n%s", script, args, p.ExitCode(), code, says, said)
	}
}

// says waits until a process has printed something.
func says(t *testing.T, p *rig.Process, text string) {
	t.Helper()
	await(t, verdict, func(context.Context) error {
		said := p.Tail(64 << 10)
		if strings.Contains(said, text) {
			return nil
		}
		if !p.Running() {
			t.Fatalf("it ended without having said %q:\n%s", text, said)
		}
		return fmt.Errorf("no %q in:\n%s", text, said)
	})
}

func TestScriptsSayWhatTheyCannotDo(t *testing.T) {
	c := newCheckout(t)
	c.ends(t, 0, "localhost:3000", "runMaster.sh", "--dev", "--help")
	c.ends(t, 2, "bin/master cli", "runMaster.sh", "cli", "status")
	for _, n := range []string{"0", "00", "101", "99999999999999999999"} {
		c.ends(t, 2, "from 1 to 100", "runWorker.sh", n)
	}
	c.ends(t, 2, "'2x' is not a number", "runWorker.sh", "2x")
	c.ends(t, 1, "WORKER_CPU", "runWorker.sh", "--worker-cpu", "many")
	c.ends(t, 0, "--mongodb ", "runMaster.sh", "--help")
	c.ends(t, 0, "--http-addr ", "runMaster.sh", "--http-addr", "127.0.0.1:1", "-h")
	c.ends(t, 0, "data/worker-N", "runWorker.sh", "--help")
	c.ends(t, 0, "--stop-tasks ", "runWorker.sh", "2", "--help")
	c.ends(t, 1, "--env-file: open "+filepath.Join(c.here, "no.env"), "runWorker.sh", "--env-file", "no.env")
}

// --mongodb starts the database by docker compose, which is played by a script
// here, and hands its place to the master without showing the password.
func TestScriptStartsMongoDB(t *testing.T) {
	c := newCheckout(t)
	play := filepath.Join(c.here, "play")
	must(t, os.Mkdir(play, 0o755))
	must(t, os.Mkdir(filepath.Join(c.dir, "database"), 0o755))
	calls := filepath.Join(c.here, "calls")
	must(t, os.WriteFile(filepath.Join(play, "docker"), []byte(`#!/bin/sh
echo "$*" >>'`+calls+`'
case "$1" in inspect) echo healthy ;; esac
`), 0o755))
	path := "PATH=" + play + ":" + os.Getenv("PATH")
	c.env = append(c.env, path, "MONGODB_DATABASE=no/name")
	for range 2 {
		c.ends(t, 2, "MONGODB_DATABASE", "runMaster.sh", "--no-prompt", "--mongodb")
	}
	said, err := os.ReadFile(calls)
	must(t, err)
	if want := "compose -f database/docker-compose.yml up -d\n"; strings.Count(string(said), want) != 2 {
		t.Errorf("docker was called with\n%s", said)
	}
	env := filepath.Join(c.dir, "database", ".env")
	made, err := os.ReadFile(env)
	must(t, err)
	info, err := os.Stat(env)
	must(t, err)
	if !regexp.MustCompile(`^MONGODB_PASSWORD=[0-9a-f]{32}\n$`).Match(made) || info.Mode().Perm() != 0o600 {
		t.Errorf("database/.env is %q with mode %v", made, info.Mode())
	}
	c.env = append(c.env, "MONGODB_URI=mongodb://elsewhere")
	c.ends(t, 2, "MONGODB_URI names another", "runMaster.sh", "--mongodb")
	c.env = []string{"PATH=/nowhere:" + os.Getenv("PATH"), "MONGODB_URI=elsewhere"}
	c.ends(t, 2, "MONGODB_URI: must begin with mongodb://", "runMaster.sh", "--no-prompt")
}

// Without Go nothing is built: a program that is there starts all the same.
func TestScriptsWithoutGo(t *testing.T) {
	c := newCheckout(t)
	few := filepath.Join(c.here, "few")
	must(t, os.Mkdir(few, 0o755))
	for _, name := range []string{"bash", "dirname", "readlink", "uname", "awk", "find", "head", "grep", "cat"} {
		for _, dir := range []string{"/bin", "/usr/bin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				must(t, os.Symlink(filepath.Join(dir, name), filepath.Join(few, name)))
				break
			}
		}
	}
	c.env = []string{"PATH=" + few}
	source := filepath.Join(c.dir, "worker", "new.go")
	must(t, os.WriteFile(source, nil, 0o644))
	must(t, os.Chtimes(source, time.Time{}, time.Now().Add(time.Hour)))
	c.ends(t, 0, "older than its sources", "runWorker.sh", "--version")
	must(t, os.Remove(filepath.Join(c.dir, "bin")))
	c.ends(t, 1, "https://go.dev/dl", "runWorker.sh", "--version")
	c.ends(t, 1, "runMaster.sh: bin/master is not built yet", "runMaster.sh")
}

// A worker that is started first says what it waits for and joins by itself;
// what else is in the way is named; Ctrl-C says what becomes of its tasks.
func TestScriptsStartACluster(t *testing.T) {
	grpc, http, other := free(t), free(t), free(t)
	c := newCheckout(t, "MASTER_ADDR="+grpc, "JOIN_TOKEN_FILE=state/join-token")
	must(t, os.WriteFile(filepath.Join(c.dir, "worker", ".env"), []byte("WORKER_ID=first\n"), 0o600))

	first := c.start(t, "runWorker.sh")
	second := c.start(t, "runWorker.sh", "02", "--worker-addr", other)
	state := filepath.Join(c.here, "state") // relative paths start where the caller is
	says(t, first, "there is no join token in "+filepath.Join(state, "join-token"))
	says(t, second, "worker 2 has a name of its own")

	must(t, os.WriteFile(filepath.Join(c.here, "my.env"), []byte("HEARTBEAT_INTERVAL=100ms\n"), 0o600))
	flags := []string{"--no-prompt", "--grpc-addr", grpc, "--http-addr", http, "--master-data-dir=state", "--env-file", "my.env"}
	master := c.start(t, "runMaster.sh", flags...)
	says(t, first, "joined the master")
	says(t, second, "joined the master")
	for _, dir := range []string{"worker", "worker-2"} {
		if _, err := os.Stat(filepath.Join(c.dir, "data", dir, "worker.pem")); err != nil {
			t.Error(err)
		}
	}

	owner := func(p *rig.Process, program string) string {
		return fmt.Sprintf(" is in use by %s (process %d); stop it", program, p.PID())
	}
	c.ends(t, 1, "GRPC_ADDR "+grpc+owner(master, "master"), "runMaster.sh", "--no-prompt", "--grpc-addr", grpc, "--master-data-dir", "else")
	c.ends(t, 1, "HTTP_ADDR "+http+owner(master, "master"), "runMaster.sh", "--no-prompt", "--grpc-addr", free(t), "--http-addr", http, "--master-data-dir", "else")
	c.ends(t, 1, "WORKER_ADDR "+other+owner(second, "worker"), "runWorker.sh", "3", "--worker-addr", other)

	api, err := client.New(client.Options{Socket: client.SocketIn(state)})
	must(t, err)
	task, err := api.Submit(t.Context(), client.TaskRequest{
		DockerImage: "busybox", TargetWorkerID: "first", MemoryRequired: ptr[int64](64), StorageRequired: ptr[int64](64),
		Env: map[string]string{"FAKE_SLEEP": "10m"},
	})
	must(t, err)
	await(t, verdict, func(ctx context.Context) error {
		now, err := api.Task(ctx, task.TaskID)
		if err == nil && now.Status != "running" {
			err = errors.New(describe(now))
		}
		return err
	})
	must(t, first.Signal(syscall.SIGINT))
	must(t, first.Await(orderly))
	if said := first.Tail(8 << 10); first.ExitCode() != 0 || !strings.Contains(said, "--stop-tasks") || !strings.Contains(said, "containers=1") {
		t.Errorf("it ended with %d and said:\n%s", first.ExitCode(), said)
	}
}

func free(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	must(t, err)
	return address
}

// --dev serves the dashboard's sources, by an npm that is played by a script
// here, beside a master; it ends with it, and the master's code is the script's.
func TestScriptServesDashboardSources(t *testing.T) {
	c := newCheckout(t)
	play := filepath.Join(c.here, "play")
	must(t, os.Mkdir(play, 0o755))
	modules := filepath.Join(c.dir, "ui", "node_modules")
	must(t, os.MkdirAll(modules, 0o755))
	must(t, os.WriteFile(filepath.Join(c.dir, "ui", "package-lock.json"), nil, 0o644))
	must(t, os.Chtimes(filepath.Join(c.dir, "ui", "package-lock.json"), time.Time{}, time.Unix(1e9, 0)))
	must(t, os.WriteFile(filepath.Join(modules, ".package-lock.json"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(play, "node"), []byte("#!/bin/sh\necho v22.0.0\n"), 0o755))
	pid := filepath.Join(c.here, "npm.pid")
	must(t, os.WriteFile(filepath.Join(play, "npm"), []byte("#!/bin/sh\necho $$ >'"+pid+"'\nexec sleep 600\n"), 0o755))
	c.env = append(c.env, "PATH="+play+":"+os.Getenv("PATH"))
	p := c.start(t, "runMaster.sh", "--dev", "--no-prompt", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0")
	says(t, p, "http://localhost:3000")
	says(t, p, "msg=serving")
	var server int
	await(t, verdict, func(context.Context) error { // it is started beside the master, who need not be the later one
		raw, err := os.ReadFile(pid)
		if err == nil {
			_, err = fmt.Sscan(string(raw), &server)
		}
		return err
	})
	must(t, syscall.Kill(server, 0)) // it runs
	must(t, p.Term(orderly))
	await(t, orderly, func(context.Context) error {
		if err := syscall.Kill(server, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("the server of the sources has outlived the master: %w", err)
		}
		return nil
	})
}
