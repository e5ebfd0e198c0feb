package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/freeport"
)

// Limits for what a sound machine does in a moment and a busy one in a while.
const (
	upLimit   = 30 * time.Second // a start
	downLimit = 15 * time.Second // an orderly stop
)

// Rig is one cluster: a master, its workers, their folders and their
// containers. Its methods are not safe for concurrent use.
type Rig struct {
	bin        string // folder of the binaries
	dir        string
	masterEnv  map[string]string
	grpc, http string // addresses, the same over restarts
	cluster    string // id, known once the master has answered

	Master  *Process
	seat    *os.File // the terminal at which the master opens its prompt; nil: it has none
	workers map[string]*Worker
	engines map[string]*Engine // by the address of each; empty: the machine's
	api     *client.Client
}

// Worker is one worker of a rig; its folder and address outlive its process.
type Worker struct {
	*Process
	ID   string
	Dir  string // WORKER_DATA_DIR
	env  map[string]string
	host *Host // nil: this machine
}

// New makes the folder of a cluster, in parent or, when that is empty, where
// temporary files go; nothing runs yet. The settings are added to the master's
// environment, at every start.
func New(bin, parent string, masterSettings ...string) (*Rig, error) {
	bin, err := filepath.Abs(bin) // processes run in a folder of the rig's
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"master", "worker"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return nil, fmt.Errorf("%w; run: make build", err)
		}
	}
	dir, err := os.MkdirTemp(parent, "cloudai-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r := &Rig{bin: bin, dir: dir, masterEnv: map[string]string{}, workers: map[string]*Worker{}, engines: map[string]*Engine{}}
	if r.grpc, err = freeport.Address(); err == nil {
		r.http, err = freeport.Address()
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "cwd"), 0o755) // empty: no .env in it
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r.masterEnv["MASTER_DATA_DIR"] = filepath.Join(dir, "master")
	set(r.masterEnv, masterSettings)
	return r, nil
}

// MasterDir is the master's data folder.
func (r *Rig) MasterDir() string { return r.masterEnv["MASTER_DATA_DIR"] }

// FilesDir is where the master keeps output files.
func (r *Rig) FilesDir() string {
	if dir := r.masterEnv["FILES_DIR"]; dir != "" {
		return dir
	}
	return filepath.Join(r.MasterDir(), "files")
}

// Socket is the path of the master's Unix socket.
func (r *Rig) Socket() string { return client.SocketIn(r.MasterDir()) }

// HTTP is the address of the master's REST edge on TCP.
func (r *Rig) HTTP() string { return r.http }

// API speaks to the master over its socket.
func (r *Rig) API() *client.Client { return r.api }

// Set adds NAME=value settings to the master's environment, from its next start
// on.
func (r *Rig) Set(settings ...string) { set(r.masterEnv, settings) }

// Dir is the folder that everything of the cluster lies in.
func (r *Rig) Dir() string { return r.dir }

// ClusterID is the label of the cluster's containers.
func (r *Rig) ClusterID() string { return r.cluster }

// Workers are those that were ever started, by id.
func (r *Rig) Workers() []*Worker {
	all := make([]*Worker, 0, len(r.workers))
	for _, id := range slices.Sorted(maps.Keys(r.workers)) {
		all = append(all, r.workers[id])
	}
	return all
}

// StartMaster starts the master, for the first time or again, and waits until
// it takes tasks.
func (r *Rig) StartMaster(ctx context.Context) error {
	p, err := r.LaunchMaster()
	if err != nil {
		return err
	}
	r.Master = p
	return p.await(ctx, upLimit, func(ctx context.Context) error {
		// Made anew: where the socket is shows only when it is there.
		api, err := client.New(client.Options{Socket: r.Socket()})
		if err != nil {
			return err
		}
		if err := api.Ready(ctx); err != nil {
			return err
		}
		about, err := api.Cluster(ctx)
		r.api, r.cluster = api, about.ClusterID
		return err
	})
}

// LaunchMaster starts a master process on the rig's folder, with further flags,
// and waits for nothing.
func (r *Rig) LaunchMaster(flags ...string) (*Process, error) {
	command := []string{filepath.Join(r.bin, "master"), "serve", "--grpc-addr", r.grpc, "--http-addr", r.http}
	cwd := filepath.Join(r.dir, "cwd")
	if r.seat != nil {
		log := filepath.Join(r.MasterDir(), "master.log")
		return StartAt(r.seat, "master", append(command, flags...), environment(r.masterEnv), cwd, log)
	}
	command = append(command, "--no-prompt")
	return Start("master", append(command, flags...), environment(r.masterEnv), cwd, filepath.Join(r.dir, "master.log"))
}

// Seat has the master open its prompt at a terminal, from its next start on.
func (r *Rig) Seat(tty *os.File) { r.seat = tty }

// Bind has the master listen at another address of this machine than loopback.
// Before its first start.
func (r *Rig) Bind(host string) {
	for _, addr := range []*string{&r.grpc, &r.http} {
		_, port, _ := net.SplitHostPort(*addr) // freeport made it
		*addr = net.JoinHostPort(host, port)
	}
}

// Configure adds to the master's settings, from its next start on.
func (r *Rig) Configure(settings ...string) { set(r.masterEnv, settings) }

// GRPC is the address that workers call.
func (r *Rig) GRPC() string { return r.grpc }

// StartOn starts a worker's process on another host with the shell command that
// it is given there, in an empty folder, and waits for nothing.
func (r *Rig) StartOn(h *Host, id, command string) (*Worker, error) {
	w := &Worker{ID: id, Dir: filepath.Join(r.dir, id, "data", "worker")}
	cwd := filepath.Join(r.dir, id)
	if err := os.MkdirAll(cwd, 0o755); err != nil {
		return nil, err
	}
	p, err := Start(id, h.Command("bash", "-c", command), environment(nil), cwd, filepath.Join(r.dir, id+".log"))
	if err != nil {
		return nil, err
	}
	w.Process = p
	r.workers[id] = w
	return w, nil
}

// StartWorker starts a worker for the first time and waits until the master
// counts on it.
func (r *Rig) StartWorker(ctx context.Context, id string, settings ...string) (*Worker, error) {
	w, err := r.newWorker(id, settings)
	if err != nil {
		return nil, err
	}
	return w, r.RestartWorker(ctx, w)
}

// TryWorker starts a worker for the first time and waits for nothing: it may
// not be let in.
func (r *Rig) TryWorker(id string, settings ...string) (*Worker, error) {
	w, err := r.newWorker(id, settings)
	if err == nil {
		w.Process, err = r.LaunchWorker(w)
	}
	return w, err
}

// PlaceWorker makes a worker that is to run on another host, or here when that
// is nil, and starts nothing. The master must listen where the host reaches it.
func (r *Rig) PlaceWorker(h *Host, id string, settings ...string) (*Worker, error) {
	if h != nil {
		_, port, _ := net.SplitHostPort(r.grpc) // freeport made it
		settings = append([]string{
			"MASTER_ADDR=" + net.JoinHostPort(h.Here, port), "WORKER_ADDR=" + net.JoinHostPort(h.Addr, hostPort),
		}, settings...)
	}
	w, err := r.newWorker(id, settings)
	if err == nil {
		w.host = h
	}
	return w, err
}

// hostPort is the port of a worker that has a host for itself.
const hostPort = "50052"

// newWorker is a worker with the usual settings and others over them.
func (r *Rig) newWorker(id string, settings []string) (*Worker, error) {
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	w := &Worker{ID: id, Dir: filepath.Join(r.dir, id)}
	w.env = map[string]string{
		"MASTER_ADDR": r.grpc, "WORKER_ID": id, "WORKER_ADDR": address, "WORKER_DATA_DIR": w.Dir,
		"JOIN_TOKEN_FILE": filepath.Join(r.MasterDir(), "join-token"),
	}
	set(w.env, settings)
	w.Dir = w.env["WORKER_DATA_DIR"]
	r.workers[id] = w
	return w, nil
}

// Set changes NAME=value settings, from the worker's next start on.
func (w *Worker) Set(settings ...string) { set(w.env, settings) }

// RestartWorker starts a worker's process anew on its folder and waits until
// the master counts on it.
func (r *Rig) RestartWorker(ctx context.Context, w *Worker) error {
	p, err := r.LaunchWorker(w)
	if err != nil {
		return err
	}
	w.Process = p
	began := time.Now()
	return p.await(ctx, upLimit, func(ctx context.Context) error {
		now, err := r.api.Worker(ctx, w.ID)
		if err != nil {
			return err
		}
		if now.Status != "active" || now.LastHeartbeat == nil || now.LastHeartbeat.Before(began) {
			return fmt.Errorf("worker %s is %s (%s), last heard at %v", w.ID, now.Status, now.Message, now.LastHeartbeat)
		}
		return nil
	})
}

// Vanish ends a worker as the loss of its host does: the process and all that
// was on its disk go, and nobody returns. For workers without an engine.
func (r *Rig) Vanish(w *Worker) error {
	delete(r.workers, w.ID)
	return errors.Join(w.Kill(), os.RemoveAll(w.Dir))
}

// LaunchWorker starts a process for the worker, with further flags, and waits for
// nothing.
func (r *Rig) LaunchWorker(w *Worker, flags ...string) (*Process, error) {
	command := append([]string{filepath.Join(r.bin, "worker")}, flags...)
	if w.host != nil {
		command = w.host.Command(command...)
	}
	return Start(w.ID, command, environment(w.env), filepath.Join(r.dir, "cwd"), filepath.Join(r.dir, w.ID+".log"))
}

// WorkerIs is nil when the master shows the worker with that status.
func (r *Rig) WorkerIs(ctx context.Context, id, status string) error {
	w, err := r.api.Worker(ctx, id)
	if err != nil {
		return err
	}
	if w.Status != status {
		return fmt.Errorf("worker %s is %s (%s), not %s", id, w.Status, w.Message, status)
	}
	return nil
}

// Command is the command line of a one-shot command against the master, with
// its environment.
func (r *Rig) Command(args ...string) (command, env []string) {
	command = append([]string{filepath.Join(r.bin, "master"), "cli"}, args...)
	return command, environment(map[string]string{"MASTER_DATA_DIR": r.MasterDir()})
}

// Close ends what still runs, removes the cluster's containers and its folder.
func (r *Rig) Close(ctx context.Context) error {
	var errs []error
	for _, w := range r.Workers() {
		if w.Process != nil {
			errs = append(errs, w.Kill())
		}
	}
	if r.Master != nil {
		errs = append(errs, r.Master.Kill())
	}
	for _, e := range r.engines {
		errs = append(errs, e.removeAll(ctx), e.close())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// Logs is the end of what each process has printed.
func (r *Rig) Logs(most int) string {
	var all strings.Builder
	if r.Master != nil {
		fmt.Fprintf(&all, "--- master\n%s", r.Master.Tail(most))
	}
	for _, w := range r.Workers() {
		if w.Process != nil {
			fmt.Fprintf(&all, "--- worker %s\n%s", w.ID, w.Tail(most))
		}
	}
	return all.String()
}

// set adds NAME=value settings.
func set(env map[string]string, settings []string) {
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		env[name] = value
	}
}

// environment is the settings and nothing else of this process's own but what
// programs need to run at all.
func environment(settings map[string]string) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
		"GORACE", "GOCOVERDIR", "GOGC", // for binaries that were built to be looked into
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}
