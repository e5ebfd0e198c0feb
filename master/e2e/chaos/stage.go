package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudai/master/client"
	"cloudai/master/e2e/rig"
)

// The master looks often and is soon out of patience, so that a short run sees
// workers lost and returning.
const (
	heartbeatTimeout  = 3 * time.Second
	heartbeatInterval = 300 * time.Millisecond
)

// stage is the cluster under test with all that can be hurt of it.
type stage struct {
	rig     *rig.Rig
	api     *client.Client
	image   string
	master  *actor
	workers map[string]*actor
	engines map[string]*engine
	hosts   map[string]*rig.Host // by worker; others run on this machine
	disks   map[string]*disk     // by the process whose folder is on it
}

// engine is a Docker engine that several workers may share.
type engine struct {
	*rig.Dockerd
	turn    sync.Mutex
	watcher *watcher
}

// disk is a small one, to be filled.
type disk struct {
	*rig.Disk
	turn sync.Mutex
}

// crew says which workers there are: an engine or none, a host of its own, and
// a small disk.
var crew = []struct {
	id, engine string
	host, disk bool
}{
	{id: "d1", engine: "a", disk: true},
	{id: "d2", engine: "a", host: true},
	{id: "d3", engine: "b", host: true},
	{id: "f1", disk: true},
	{id: "f2", host: true},
	{id: "f3", host: true},
}

func newStage(ctx context.Context, o options) (*stage, error) {
	st := &stage{
		workers: map[string]*actor{}, engines: map[string]*engine{},
		hosts: map[string]*rig.Host{}, disks: map[string]*disk{},
	}
	var err error
	if st.rig, err = rig.New(o.bin, "", "HEARTBEAT_INTERVAL="+heartbeatInterval.String(), "HEARTBEAT_TIMEOUT="+heartbeatTimeout.String(),
		"LOG_LEVEL=debug"); err != nil {
		return st, err
	}
	small, err := st.newDisk(ctx, "master", 192)
	if err != nil {
		return st, err
	}
	st.rig.Set("MASTER_DATA_DIR=" + filepath.Join(small, "data"))
	st.rig.Bind("0.0.0.0") // it is called from several networks
	if err := st.rig.StartMaster(ctx); err != nil {
		return st, err
	}
	st.master = &actor{name: "master", Process: st.rig.Master, start: func() (p *rig.Process, err error) {
		st.rig.Master, err = st.rig.LaunchMaster()
		return st.rig.Master, err
	}}
	if st.api, err = client.New(client.Options{Socket: st.rig.Socket(), Patience: 30 * time.Second}); err != nil {
		return st, err
	}
	for _, name := range []string{"a", "b"} {
		if err := st.newEngine(ctx, name, o.setup); err != nil {
			return st, err
		}
	}
	for _, w := range crew {
		if err := st.place(ctx, w.id, w.engine, w.host, w.disk); err != nil {
			return st, fmt.Errorf("worker %s: %w", w.id, err)
		}
	}
	return st, nil
}

func (st *stage) newEngine(ctx context.Context, name, setup string) error {
	d, err := rig.NewDockerd(ctx, "")
	if err != nil {
		return err
	}
	e := &engine{Dockerd: d}
	st.engines[name] = e
	if st.image, err = d.LoadImage(ctx, setup); err != nil {
		return err
	}
	account, err := st.rig.EngineOf(d)
	e.watcher = newWatcher(account)
	return err
}

// newDisk mounts a small disk for one process.
func (st *stage) newDisk(ctx context.Context, of string, size int) (dir string, err error) {
	d, err := rig.NewDisk(ctx, filepath.Join(st.rig.Dir(), "disk-"+of), size)
	if err != nil {
		return "", err
	}
	st.disks[of] = &disk{Disk: d}
	return d.Dir, nil
}

// place makes a worker and starts it.
func (st *stage) place(ctx context.Context, id, on string, host, disk bool) error {
	settings := []string{"WORKER_MEMORY=100000", "WORKER_STORAGE=100000", "LOG_LEVEL=debug"}
	if e := st.engines[on]; e != nil {
		settings = append(settings, "DOCKER_HOST="+e.Host(), "WORKER_CPU=3", "WORKER_LABELS=kind=docker")
	} else {
		settings = append(settings, "EXECUTOR=fake", "WORKER_CPU=8", "WORKER_LABELS=kind=fake")
	}
	if disk {
		dir, err := st.newDisk(ctx, id, 64)
		if err != nil {
			return err
		}
		settings = append(settings, "WORKER_DATA_DIR="+filepath.Join(dir, "data"))
	}
	if host {
		h, err := rig.NewHost(ctx)
		if err != nil {
			return err
		}
		st.hosts[id] = h
	}
	w, err := st.rig.PlaceWorker(st.hosts[id], id, settings...)
	if err != nil {
		return err
	}
	st.workers[id] = &actor{name: id, start: func() (p *rig.Process, err error) {
		w.Process, err = st.rig.LaunchWorker(w)
		return w.Process, err
	}}
	if st.workers[id].Process, err = st.workers[id].start(); err != nil {
		return err
	}
	return rig.Await(ctx, 20*time.Second, func(ctx context.Context) error { return st.rig.WorkerIs(ctx, id, "active") })
}

// heal undoes all that was done, and waits until the cluster has every member.
func (st *stage) heal(ctx context.Context) error {
	var errs []error
	for _, d := range st.disks {
		errs = append(errs, d.Empty())
	}
	for _, h := range st.hosts {
		errs = append(errs, h.Heal(ctx))
	}
	for _, e := range st.engines {
		errs = append(errs, e.Start(ctx))
		e.watcher.again()
	}
	errs = append(errs, rig.Await(ctx, time.Minute, func(ctx context.Context) error {
		if err := st.api.Ready(ctx); err != nil {
			return err
		}
		for _, w := range crew {
			if err := st.active(ctx, w.id); err != nil {
				return err
			}
		}
		return nil
	}))
	return errors.Join(errs...)
}

func (st *stage) active(ctx context.Context, id string) error {
	w, err := st.api.Worker(ctx, id)
	if err == nil && w.Status != "active" {
		err = fmt.Errorf("worker %s is %s: %s", id, w.Status, w.Message)
	}
	return err
}

// actors are all processes under test: the master first, then the workers in
// the order of their names.
func (st *stage) actors() []*actor {
	var all []*actor
	if st.master != nil {
		all = append(all, st.master)
	}
	for _, w := range crew {
		if a := st.workers[w.id]; a != nil {
			all = append(all, a)
		}
	}
	return all
}

// keep says where the folders lie that are left for whoever looks into it.
func (st *stage) keep(out io.Writer) string {
	if st.rig == nil {
		return ""
	}
	fmt.Fprintf(out, "chaos: what the processes printed is kept in %s\n", st.rig.Dir())
	return st.rig.Dir()
}

// close ends everything and removes it, but the logs when they are to be kept.
func (st *stage) close(ctx context.Context, keep bool) error {
	var errs []error
	for _, a := range st.actors() {
		if a.Process != nil {
			errs = append(errs, a.Kill())
		}
	}
	for _, e := range st.engines {
		if e.watcher != nil {
			e.watcher.stop()
		}
	}
	for _, e := range st.engines {
		errs = append(errs, st.rig.Leave(e.Dockerd), e.Close(ctx))
	}
	for _, h := range st.hosts {
		errs = append(errs, h.Close(ctx))
	}
	for name, d := range st.disks {
		if keep {
			errs = append(errs, d.CopyTo(ctx, filepath.Join(st.rig.Dir(), "was-on-disk-"+name)))
		}
		errs = append(errs, d.Close(ctx))
	}
	if st.rig != nil && !keep {
		errs = append(errs, st.rig.Close(ctx))
	}
	return errors.Join(errs...)
}

// said is what processes printed that none should ever print.
func (st *stage) said() []string {
	var alarms []string
	printed := st.rig.Logs(64 << 20)
	for _, alarm := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if at := strings.Index(printed, alarm); at >= 0 {
			alarms = append(alarms, fmt.Sprintf("a process printed %q: %s", alarm, printed[max(0, at-200):min(len(printed), at+1500)]))
		}
	}
	return slices.Compact(alarms)
}
