package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
)

// restoring ends the name of the folder, beside the data folder, in which a
// restore is made.
const restoring = ".restoring"

// movedName is, in that folder, the sign that output files which lie elsewhere
// are or will be in their place although the data folder is not yet.
const movedName = "files-moved"

// restore is one restore under way.
type restore struct {
	Folders
	work  string // the folder beside the data folder
	data  string // in it: what becomes the data folder
	files string // what becomes the folder of output files
	apart bool   // output files do not lie in the data folder
	made  map[string]bool
}

// Restore verifies an archive and puts what is in it into folders that are empty
// or not there. Nothing is changed before all of the archive has been verified;
// then the folders appear at once. Errors: ErrDamaged, ErrTooNew, db.ErrTooNew,
// db.ErrLocked, db.ErrNotEmpty.
func Restore(ctx context.Context, archive string, to Folders) (about About, err error) {
	in, err := os.Open(archive)
	if err != nil {
		return about, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r, err := newRestore(to)
	if err != nil {
		return about, err
	}
	if err := refuseFilled(r.Data); err != nil {
		return about, err
	}
	release, err := r.takeWork()
	if err != nil {
		return about, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if r.apart {
		if err := refuseFilled(r.Folders.Files); err != nil {
			return about, err
		}
	}
	about, err = readArchive(ctx, in, r.check, r.put)
	if err != nil {
		return about, fmt.Errorf("%s: %w", archive, err)
	}
	if err := r.open(ctx); err != nil {
		return about, fmt.Errorf("%s: %w", archive, err)
	}
	return about, r.publish(about.Files)
}

func newRestore(to Folders) (*restore, error) {
	data, err := filepath.Abs(to.Data)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Abs(to.Files)
	if err != nil {
		return nil, err
	}
	to.Data, to.Files = data, files
	r := &restore{Folders: to, work: data + restoring, made: map[string]bool{}}
	r.data = filepath.Join(r.work, "data")
	below, err := filepath.Rel(data, files)
	if err == nil && filepath.IsLocal(below) {
		r.files = filepath.Join(r.data, below)
		return r, nil
	}
	r.apart, r.files = true, files+restoring
	return r, nil
}

// refuseFilled names a folder that something is in, and who uses it.
func refuseFilled(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == dirlock.Name }) {
		lock, err := dirlock.Take(dir)
		if err != nil {
			return err // names the process
		}
		if err := lock.Close(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s has %d entries, %s among them; move it away or name another folder", db.ErrNotEmpty, dir, len(entries), entries[0].Name())
}

// takeWork makes the folder, and clears what a killed restore has left.
func (r *restore) takeWork() (release func() error, err error) {
	if err := os.MkdirAll(r.work, 0o700); err != nil {
		return nil, err
	}
	lock, err := dirlock.Take(r.work)
	if errors.Is(err, db.ErrLocked) {
		return nil, fmt.Errorf("another restore into %s is under way", r.Data)
	}
	if err != nil {
		return nil, err
	}
	release = func() error { return errors.Join(r.clear(), os.RemoveAll(r.work), lock.Close()) }
	if err := errors.Join(r.takeBack(), r.clear(), os.MkdirAll(r.data, 0o700)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return release, nil
}

// takeBack undoes the first of the two renames when a restore was killed before
// the second: without a data folder nobody has used what is there.
func (r *restore) takeBack() error {
	moved, err := isThere(filepath.Join(r.work, movedName))
	if err != nil || !moved || !r.apart {
		return err
	}
	before, err := isThere(r.files)
	if err != nil || before { // it was killed before the first
		return err
	}
	if err := os.Rename(r.Folders.Files, r.files); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func isThere(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// clear removes what is unpacked but not in its place.
func (r *restore) clear() error {
	errs := []error{os.RemoveAll(r.data)}
	if r.apart {
		errs = append(errs, os.RemoveAll(r.files))
	}
	if err := os.Remove(filepath.Join(r.work, movedName)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// check refuses what this program cannot read, before anything is unpacked.
func (r *restore) check(about About) error {
	if known := r.State.Schema(); about.Schema > known {
		return fmt.Errorf("%w: its schema is %d, this program knows %d", db.ErrTooNew, about.Schema, known)
	}
	return nil
}

// put writes one member into its place, durably.
func (r *restore) put(m Member, from io.Reader) error {
	place, err := r.placeOf(m.Name)
	if err != nil {
		return err
	}
	if err := r.makeDir(filepath.Dir(place)); err != nil {
		return err
	}
	f, err := os.OpenFile(place, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// placeOf is where a member goes; its name has been found to be local and clean.
func (r *restore) placeOf(name string) (string, error) {
	if name == stateMember+r.State.FileName() {
		return filepath.Join(r.data, r.State.FileName()), nil
	}
	if key, ok := strings.CutPrefix(name, keyMember); ok && slices.Contains(r.Keys, key) {
		return filepath.Join(r.data, key), nil
	}
	if rest, ok := strings.CutPrefix(name, logMember); ok && len(strings.Split(rest, "/")) == 2 {
		return filepath.Join(r.data, logsDir, filepath.FromSlash(rest)), nil
	}
	if rest, ok := strings.CutPrefix(name, fileMember); ok {
		return filepath.Join(r.files, filepath.FromSlash(rest)), nil
	}
	return "", fmt.Errorf("%w: no member that this program knows", ErrDamaged)
}

// makeDir makes a folder and remembers all that have got new names, to flush
// them.
func (r *restore) makeDir(dir string) error {
	if r.made[dir] {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for at := dir; !r.made[at] && at != r.work && at != filepath.Dir(r.files); at = filepath.Dir(at) {
		r.made[at] = true
	}
	return nil
}

// open opens what was unpacked as a master would, which brings an older schema
// forward.
func (r *restore) open(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.data, r.State.FileName())); err != nil {
		return fmt.Errorf("%w: there is no %s in it", ErrDamaged, stateMember+r.State.FileName())
	}
	s, err := r.State.Open(ctx, r.data)
	if err != nil {
		return err
	}
	return s.Close()
}

// publish puts the folders into their places. The data folder comes last: only
// with it a master finds anything.
func (r *restore) publish(files bool) error {
	r.made[r.data] = true
	for dir := range r.made {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	if r.apart && files && r.made[r.files] {
		moved, err := os.OpenFile(filepath.Join(r.work, movedName), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(moved.Sync(), moved.Close(), syncDir(r.work)); err != nil {
			return err
		}
		if err := rename(r.files, r.Folders.Files); err != nil {
			return err
		}
	}
	return rename(r.data, r.Data)
}

// rename puts a folder into the place of one that is empty or not there.
func rename(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("%w (a mounted folder cannot be replaced: name a folder below it)", err)
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}
