package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/worker/internal/executor"
)

// copyInputs puts the input files into a created container, all in one call.
func (e *Executor) copyInputs(ctx context.Context, id string, spec executor.Spec) error {
	dir := spec.Workdir
	if dir == "" && relative(spec.Inputs) {
		found, err := e.inspect(ctx, id)
		if err != nil {
			return err
		}
		dir = found.workdir
	}
	archive, err := pack(spec.Inputs, dir, time.Now())
	if err != nil {
		return err
	}
	if err := e.api.CopyToContainer(ctx, id, "/", archive, container.CopyToContainerOptions{}); err != nil {
		return fail(ctx, "putting the input files into the container", err)
	}
	return nil
}

func relative(inputs []executor.Input) bool {
	for _, in := range inputs {
		if !path.IsAbs(in.Path) {
			return true
		}
	}
	return false
}

// pack makes a tar of the inputs, their paths taken from the root; relative
// ones lie below dir. The engine makes missing folders.
func pack(inputs []executor.Input, dir string, now time.Time) (*bytes.Buffer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, in := range inputs {
		name := in.Path
		if !path.IsAbs(name) {
			name = path.Join("/", dir, name)
		}
		name = strings.TrimPrefix(path.Clean(name), "/")
		if name == "" || strings.ContainsRune(name, 0) || strings.HasSuffix(in.Path, "/") {
			return nil, fmt.Errorf("input %q: not a file's path", in.Path)
		}
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(in.Content)), ModTime: now, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Path, err)
		}
		if _, err := w.Write(in.Content); err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the inputs: %w", err)
	}
	return &buf, nil
}
