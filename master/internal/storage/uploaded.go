package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"

	"cloudai/master/internal/cluster"
)

// uploaded completes a manifest that leaves its files to what has come: all
// that is staged and was not skipped after all. cluster.ErrConflict when a file
// has not come whole, or its sum is not known any more; the worker sends its
// last piece again then.
func (k *Keeper) uploaded(ctx context.Context, s *stage, home string, m cluster.Manifest) (cluster.Manifest, error) {
	staged, err := k.exists(s.dir)
	if err != nil {
		return m, err
	}
	if !staged {
		// Published before, by a call whose commit did not succeed: with
		// staging begun anew there would be a stage.
		m.Files, err = k.sums(ctx, home)
		return m, err
	}
	skipped := make(map[string]struct{}, len(m.Skipped))
	for _, f := range m.Skipped {
		skipped[f.Path] = struct{}{}
	}
	m.Files = nil
	err = walk(ctx, k.root, s.dir, func(name string, d fs.DirEntry) error {
		if _, left := skipped[name]; left || d.IsDir() {
			return nil
		}
		up := s.files[name]
		if up == nil || !up.complete || !up.hashed && !up.said {
			return fmt.Errorf("%w: %.100q has not come whole", cluster.ErrConflict, name)
		}
		m.Files = append(m.Files, cluster.File{Path: name, Size: up.received, SHA256: hex.EncodeToString(up.sum[:])})
		return nil
	})
	return m, err
}

// sums reads every file of a folder, which need not be there.
func (k *Keeper) sums(ctx context.Context, dir string) (files []cluster.File, err error) {
	err = walk(ctx, k.root, dir, func(name string, d fs.DirEntry) error {
		if d.IsDir() {
			return nil
		}
		f, err := k.root.Open(path.Join(dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		sum := sha256.New()
		size, err := io.Copy(sum, f)
		files = append(files, cluster.File{Path: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))})
		return err
	})
	return files, err
}
