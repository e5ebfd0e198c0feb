package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	docker "github.com/docker/docker/client"
)

// The labels of containers that tests look at.
const (
	labelCluster = "cloudai.cluster_id"
	labelTask    = "cloudai.task_id"
	labelAttempt = "cloudai.attempt"
)

// Engine is the Docker engine's own account of one cluster's containers. It
// sees no others.
type Engine struct {
	*docker.Client
	cluster string
}

// Engine connects to the machine's engine, once; the master must have started.
func (r *Rig) Engine() (*Engine, error) { return r.engineAt("") }

// EngineOf is the same for an engine of the test's own.
func (r *Rig) EngineOf(d *Dockerd) (*Engine, error) { return r.engineAt(d.Host()) }

// Leave forgets an engine of the test's own, which is about to be closed.
func (r *Rig) Leave(d *Dockerd) error {
	e := r.engines[d.Host()]
	delete(r.engines, d.Host())
	if e == nil {
		return nil
	}
	return e.close()
}

func (r *Rig) engineAt(host string) (*Engine, error) {
	if e := r.engines[host]; e != nil {
		return e, nil
	}
	if r.cluster == "" {
		return nil, errors.New("the cluster's id is not known before its master has started")
	}
	options := []docker.Opt{docker.FromEnv, docker.WithAPIVersionNegotiation()}
	if host != "" {
		options[0] = docker.WithHost(host)
	}
	api, err := docker.NewClientWithOpts(options...)
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	r.engines[host] = &Engine{Client: api, cluster: r.cluster}
	return r.engines[host], nil
}

func (e *Engine) ours() filters.Args {
	return filters.NewArgs(filters.Arg("label", labelCluster+"="+e.cluster))
}

// Containers are those of the cluster, ended ones too.
func (e *Engine) Containers(ctx context.Context) ([]container.Summary, error) {
	return e.ContainerList(ctx, container.ListOptions{All: true, Filters: e.ours()})
}

// ContainerOf is the task's only container.
func (e *Engine) ContainerOf(ctx context.Context, task string) (container.Summary, error) {
	all, err := e.Containers(ctx)
	if err != nil {
		return container.Summary{}, err
	}
	var found []container.Summary
	for _, c := range all {
		if c.Labels[labelTask] == task {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return container.Summary{}, fmt.Errorf("task %s has %d containers", task, len(found))
	}
	return found[0], nil
}

// Gone is nil when the cluster has no container left.
func (e *Engine) Gone(ctx context.Context) error {
	left, err := e.Containers(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	var names []string
	for _, c := range left {
		names = append(names, fmt.Sprintf("%s (%s)", strings.Join(c.Names, " "), c.Status))
	}
	return fmt.Errorf("%d containers are left: %s", len(left), strings.Join(names, ", "))
}

// removeAll removes the cluster's containers, whatever they do.
func (e *Engine) removeAll(ctx context.Context) error {
	left, err := e.Containers(ctx)
	for _, c := range left {
		err = errors.Join(err, e.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}
	return err
}

func (e *Engine) close() error { return e.Close() }
