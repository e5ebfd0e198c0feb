package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"cloudai/master/internal/cluster"
)

// plan is what a manifest asks for.
type plan struct {
	files   []cluster.File
	wanted  map[string]struct{}
	folders map[string]struct{} // that lead to the files, "." among them
}

// makePlan checks a manifest, which comes from a worker.
func makePlan(m cluster.Manifest) (plan, error) {
	p := plan{
		files:   m.Files,
		wanted:  make(map[string]struct{}, len(m.Files)),
		folders: map[string]struct{}{".": {}},
	}
	for _, f := range m.Files {
		if err := CheckPath(f.Path); err != nil {
			return plan{}, err
		}
		if raw, err := hex.DecodeString(f.SHA256); err != nil || len(raw) != sha256.Size || f.Size < 0 {
			return plan{}, fmt.Errorf("%w: manifest has size %d and sha256 %.80q for %q", cluster.ErrInvalid, f.Size, f.SHA256, f.Path)
		}
		if _, twice := p.wanted[f.Path]; twice {
			return plan{}, fmt.Errorf("%w: manifest has %q twice", cluster.ErrInvalid, f.Path)
		}
		p.wanted[f.Path] = struct{}{}
		parents(f.Path, func(dir string) { p.folders[dir] = struct{}{} })
	}
	for _, f := range m.Files {
		if _, both := p.folders[f.Path]; both {
			return plan{}, fmt.Errorf("%w: manifest has %q as file and folder", cluster.ErrInvalid, f.Path)
		}
	}
	return p, nil
}

// Publish verifies the staged files of the attempt against the manifest,
// flushes them and renames them into the owner's folder at once; files that
// the manifest does not name are left behind. It gives the rows with content
// types, in the manifest's order. It may be called again after a crash or a
// failed commit, also with a manifest of a later attempt.
//
// cluster.ErrConflict when staged and manifest differ: what is wrong is thrown
// away, so that the worker uploads it again from its first byte.
// cluster.ErrQuota when the disk is full.
func (k *Keeper) Publish(ctx context.Context, owner cluster.UserID, ref cluster.AttemptRef, m cluster.Manifest) ([]cluster.File, error) {
	home, err := homeOf(owner, ref.TaskID)
	if err != nil {
		return nil, err
	}
	s, err := k.lock(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer k.unlock(ref, s)
	if m.AsUploaded {
		if m, err = k.uploaded(ctx, s, home, m); err != nil {
			return nil, fmt.Errorf("publish what was uploaded of task %s attempt %d: %w", ref.TaskID, ref.Attempt, err)
		}
	}
	p, err := makePlan(m)
	if err != nil {
		return nil, err
	}
	rows, err := k.publish(ctx, owner, s, home, p)
	if err != nil {
		return nil, fmt.Errorf("publish the files of task %s attempt %d: %w", ref.TaskID, ref.Attempt, full(err))
	}
	return rows, nil
}

func (k *Keeper) publish(ctx context.Context, owner cluster.UserID, s *stage, home string, p plan) ([]cluster.File, error) {
	there, err := k.exists(home)
	if err != nil {
		return nil, err
	}
	if there {
		// From before a crash, or of an attempt whose result was not kept.
		rows, err := k.verify(ctx, home, p, nil)
		if err == nil && len(p.files) > 0 {
			return rows, k.discard(s)
		}
		if err != nil && !errors.Is(err, cluster.ErrConflict) {
			return nil, err
		}
		if err := k.remove(home); err != nil {
			return nil, err
		}
	}
	if len(p.files) == 0 {
		if staged, err := k.exists(s.dir); err != nil || !staged {
			return nil, err
		}
		return nil, k.discard(s)
	}
	rows, err := k.verify(ctx, s.dir, p, s)
	if err != nil {
		return nil, err
	}
	if err := k.prune(ctx, s.dir, p); err != nil {
		return nil, err
	}
	k.use.set(s.dir, owner, totalOf(rows))
	if err := k.flush(ctx, s.dir, p); err != nil {
		return nil, err
	}
	if err := k.move(s.dir, home); err != nil {
		return nil, err
	}
	s.files = nil
	return rows, k.removeEmpty(path.Dir(s.dir))
}

func totalOf(files []cluster.File) (size int64) {
	for _, f := range files {
		size += f.Size
	}
	return size
}

// verify compares a folder with the plan. With a stage, sums that were taken
// while the bytes came are believed, and files that differ are removed from
// it.
func (k *Keeper) verify(ctx context.Context, dir string, p plan, s *stage) ([]cluster.File, error) {
	rows := make([]cluster.File, 0, len(p.files))
	var wrong []string
	buf := make([]byte, 256<<10)
	for _, want := range p.files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var up *upload
		if s != nil {
			up = s.files[want.Path]
		}
		kind, ok, err := k.verifyFile(path.Join(dir, want.Path), want, up, buf)
		if err != nil {
			return nil, err
		}
		if !ok {
			wrong = append(wrong, want.Path)
			if s != nil {
				if err := k.dropFile(s, want.Path); err != nil {
					return nil, err
				}
			}
			continue
		}
		want.SHA256 = strings.ToLower(want.SHA256)
		want.ContentType = contentType(want.Path, kind)
		rows = append(rows, want)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: %d files are not as the manifest says, the first is %.100q", cluster.ErrConflict, len(wrong), wrong[0])
	}
	return rows, nil
}

// verifyFile compares one file with its row and says what its first bytes look
// like.
func (k *Keeper) verifyFile(name string, want cluster.File, up *upload, buf []byte) (kind string, ok bool, err error) {
	info, err := k.root.Lstat(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(hostile(err), cluster.ErrInvalid) {
			return "", false, nil
		}
		return "", false, err
	}
	if !info.Mode().IsRegular() || info.Size() != want.Size {
		return "", false, nil
	}
	if up != nil && up.hashed && up.received == want.Size {
		return up.kind, strings.EqualFold(hex.EncodeToString(up.sum[:]), want.SHA256), nil
	}
	f, err := k.root.Open(name)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	sum.Write(buf[:n])
	if n > 0 {
		kind = http.DetectContentType(buf[:n])
	}
	if _, err := io.CopyBuffer(onlyWriter{sum}, onlyReader{f}, buf); err != nil {
		return "", false, err
	}
	return kind, strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), want.SHA256), nil
}

// onlyReader and onlyWriter hide the methods by which io.CopyBuffer would use
// a buffer of its own.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// prune removes what the plan does not name.
func (k *Keeper) prune(ctx context.Context, dir string, p plan) error {
	return walk(ctx, k.root, dir, func(name string, d fs.DirEntry) error {
		if d.IsDir() {
			if _, ok := p.folders[name]; ok {
				return nil
			}
			if err := k.root.RemoveAll(path.Join(dir, name)); err != nil {
				return err
			}
			return fs.SkipDir
		}
		if _, ok := p.wanted[name]; ok {
			return nil
		}
		return k.root.Remove(path.Join(dir, name))
	})
}

// flush brings files and folders to the disk: one by one when they are few,
// else the whole file system at once where the system can do that.
func (k *Keeper) flush(ctx context.Context, dir string, p plan) error {
	const few = 32
	if len(p.files) > few {
		if done, err := k.flushAll(dir); done || err != nil {
			return err
		}
	}
	for _, f := range p.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := k.sync(path.Join(dir, f.Path)); err != nil {
			return err
		}
	}
	folders := make([]string, 0, len(p.folders))
	for f := range p.folders {
		folders = append(folders, f)
	}
	slices.Sort(folders)
	for _, f := range slices.Backward(folders) { // the inner ones first
		if err := k.sync(path.Join(dir, f)); err != nil {
			return err
		}
	}
	return nil
}

// flushAll flushes the file system of a folder; false when there is no such
// call.
func (k *Keeper) flushAll(dir string) (bool, error) {
	f, err := k.root.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return syncFS(f)
}

// sync flushes one file or folder.
func (k *Keeper) sync(name string) error {
	f, err := k.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// move renames a folder and flushes both ends. It makes the folder that to is
// in.
func (k *Keeper) move(from, to string) error {
	above := path.Dir(to)
	if err := k.root.Mkdir(above, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := k.root.Rename(from, to); err != nil {
		return err
	}
	k.use.move(from, to)
	for _, dir := range []string{above, path.Dir(above)} {
		if err := k.sync(dir); err != nil {
			return err
		}
	}
	// Another attempt of the task may have left and removed this one.
	if err := k.sync(path.Dir(from)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Retract undoes Publish after a commit that definitely failed: the files are
// staged again. Repeating it is a no-op.
func (k *Keeper) Retract(owner cluster.UserID, ref cluster.AttemptRef) error {
	home, err := homeOf(owner, ref.TaskID)
	if err != nil {
		return err
	}
	s, err := k.lock(context.Background(), ref)
	if err != nil {
		return err
	}
	defer k.unlock(ref, s)
	if err := k.retract(home, s.dir); err != nil {
		return fmt.Errorf("retract the files of task %s: %w", ref.TaskID, err)
	}
	return nil
}

// retract moves a published folder back to a stage, or removes it when the
// stage has been used again.
func (k *Keeper) retract(home, stage string) error {
	there, err := k.exists(home)
	if err != nil || !there {
		return err
	}
	staged, err := k.exists(stage)
	if err != nil {
		return err
	}
	if staged {
		return k.remove(home)
	}
	return k.move(home, stage)
}

// walk calls f for everything below dir, by its path relative to dir; dir
// itself need not be there. Links are not followed.
func walk(ctx context.Context, root *os.Root, dir string, f func(name string, d fs.DirEntry) error) error {
	return fs.WalkDir(root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case p == dir && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case p == dir:
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(strings.TrimPrefix(p, dir+"/"), d)
	})
}
