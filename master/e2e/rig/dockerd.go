package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	docker "github.com/docker/docker/client"
)

// Dockerd is a Docker engine of a test's own, to be stopped and killed without
// harm to the machine's. It has a network namespace, since engines that share
// one remove each other's rules; a socket; folders; and a containerd. Its
// containers can have no other network than none.
type Dockerd struct {
	dir     string
	netns   string
	process *Process
	api     *docker.Client
}

// NewDockerd makes the folders of an engine, in parent or where temporary files
// go, and starts it. It needs root, as NewHost does.
func NewDockerd(ctx context.Context, parent string) (*Dockerd, error) {
	dir, err := os.MkdirTemp(parent, "cloudai-engine-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	d := &Dockerd{dir: dir, netns: fmt.Sprintf("cloudai-engine-%d", rand.IntN(1<<20))}
	if d.api, err = docker.NewClientWithOpts(docker.WithHost(d.Host()), docker.WithAPIVersionNegotiation()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err = asRoot(ctx, "ip", "netns", "add", d.netns); err == nil {
		err = d.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(context.WithoutCancel(ctx)))
	}
	return d, nil
}

// Host is what DOCKER_HOST is for the clients of this engine.
func (d *Dockerd) Host() string { return "unix://" + filepath.Join(d.dir, "docker.sock") }

func (d *Dockerd) dataRoot() string { return filepath.Join(d.dir, "data") }
func (d *Dockerd) execRoot() string { return filepath.Join(d.dir, "exec") }
func (d *Dockerd) pidFile() string  { return filepath.Join(d.dir, "docker.pid") }

// Start starts the engine, for the first time or again, and waits until it
// answers.
func (d *Dockerd) Start(ctx context.Context) error {
	if d.process != nil && d.process.Running() {
		return nil
	}
	// What a killed one leaves would have the next one wait for a process that
	// has the same number, or that has ended and nobody has asked after.
	containerd := filepath.Join(d.execRoot(), "containerd", "containerd")
	if err := asRoot(ctx, "rm", "-f", d.pidFile(), containerd+".pid", containerd+".sock", containerd+".sock.ttrpc"); err != nil {
		return err
	}
	command := rootly(
		"nsenter", "--net=/run/netns/"+d.netns, "--",
		"dockerd", "--host", d.Host(), "--group", strconv.Itoa(os.Getgid()),
		"--data-root", d.dataRoot(), "--exec-root", d.execRoot(), "--pidfile", d.pidFile(),
		"--containerd-namespace", d.netns, "--containerd-plugins-namespace", d.netns+"-plugins",
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/"+d.netns,
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout", "1",
	)
	var err error
	if d.process, err = Start("dockerd", command, environment(map[string]string{"DOCKER_HOST": ""}), d.dir, d.logFile()); err != nil {
		return err
	}
	return d.process.await(ctx, time.Minute, func(ctx context.Context) error {
		_, err := d.api.Ping(ctx)
		return err
	})
}

func (d *Dockerd) logFile() string { return filepath.Join(d.dir, "dockerd.log") }

// Stop asks the engine to end, which ends its containers, and waits for it.
func (d *Dockerd) Stop(ctx context.Context) error { return d.end(ctx, "TERM") }

// Kill ends the engine and its containerd as a crash does. The containers run
// on, each below its shim.
func (d *Dockerd) Kill(ctx context.Context) error {
	containerd := d.processes("containerd.toml")
	if err := d.end(ctx, "KILL"); err != nil {
		return err
	}
	return killAll(ctx, containerd) // they die with their parent where that is known
}

// KillAll is Kill with the shims: nobody is left to tell how the containers
// ended.
func (d *Dockerd) KillAll(ctx context.Context) error {
	err := d.Kill(ctx)
	return errors.Join(err, killAll(ctx, d.processes("")))
}

// Restart is Stop and Start.
func (d *Dockerd) Restart(ctx context.Context) error {
	if err := d.Stop(ctx); err != nil {
		return err
	}
	return d.Start(ctx)
}

// end sends a signal to the engine and waits for its end.
func (d *Dockerd) end(ctx context.Context, signal string) error {
	if d.process == nil || !d.process.Running() {
		return nil
	}
	// Not to the process started here, which may be sudo.
	pid, err := os.ReadFile(d.pidFile())
	if err == nil {
		err = asRoot(ctx, "kill", "-"+signal, strings.TrimSpace(string(pid)))
	}
	if err != nil {
		return err
	}
	return d.process.Await(30 * time.Second)
}

// LoadImage gives the engine the test image, by the set-up script in that
// folder, and says its name.
func (d *Dockerd) LoadImage(ctx context.Context, setup string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(setup, "image.sh"))
	cmd.Env = environment(map[string]string{"DOCKER_HOST": d.Host()})
	var errs strings.Builder
	cmd.Stderr = &errs
	name, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("making the test image: %w: %s", err, errs.String())
	}
	return strings.TrimSpace(string(name)), nil
}

// Tail is the end of what the engine has printed.
func (d *Dockerd) Tail(most int) string {
	if d.process == nil {
		return ""
	}
	return d.process.Tail(most)
}

// Close ends the engine with all that it runs and removes what it made.
func (d *Dockerd) Close(ctx context.Context) error {
	var errs []error
	if d.process != nil {
		// Started once more when it was killed: it knows best what it left.
		err := d.Start(ctx)
		if err == nil {
			err = d.removeContainers(ctx)
		}
		errs = append(errs, err, d.Stop(ctx))
	}
	errs = append(errs, d.api.Close(), d.sweep(ctx))
	if _, err := os.Stat("/run/netns/" + d.netns); err == nil {
		errs = append(errs, asRoot(ctx, "ip", "netns", "del", d.netns))
	}
	return errors.Join(append(errs, asRoot(ctx, "rm", "-rf", "--one-file-system", d.dir))...)
}

func (d *Dockerd) removeContainers(ctx context.Context) error {
	all, err := d.api.ContainerList(ctx, container.ListOptions{All: true})
	for _, c := range all {
		err = errors.Join(err, d.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}
	return err
}

// Lose has the engine know nothing of a container when it starts again; it must
// not run now.
func (d *Dockerd) Lose(ctx context.Context, id string) error {
	if id == "" || d.process != nil && d.process.Running() {
		return errors.New("the engine runs, or the container has no id")
	}
	return asRoot(ctx, "rm", "-r", filepath.Join(d.dataRoot(), "containers", id))
}
