package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// maxSpares bounds the folders that are kept for the next attempts.
const maxSpares = 256

// spares keeps the folders of attempts that left nothing. Making a folder
// costs a file system ten times what renaming one does, and most tasks that
// are over in a moment have no output.
//
// Only an output folder that nobody has touched is used again: it is empty,
// and its inode's change time, which no program can set, is the one it had
// when it was made. (That time moves in steps of some milliseconds; no
// container starts within one.)
type spares struct {
	dir string

	mu    sync.Mutex
	next  int
	names []string
	made  map[Ref]syscall.Timespec // change time of the attempt's output folder
}

func newSpares(dir string) *spares {
	return &spares{dir: dir, made: make(map[Ref]syscall.Timespec)}
}

// take gives a spare folder the path of the attempt's, and reports whether
// there was one.
func (s *spares) take(ref Ref, path string) bool {
	s.mu.Lock()
	if len(s.names) == 0 {
		s.mu.Unlock()
		return false
	}
	name := s.names[len(s.names)-1]
	s.names = s.names[:len(s.names)-1]
	s.mu.Unlock()
	if err := os.Rename(name, path); err != nil {
		_ = os.RemoveAll(name) // it is of no use
		return false
	}
	s.note(ref, filepath.Join(path, outputName))
	return true
}

// note remembers the state of an output folder that is about to be used.
func (s *spares) note(ref Ref, output string) {
	if at, ok := untouched(output); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.made[ref] = at
	}
}

// keep makes a spare of the attempt's folder, and reports whether it could.
func (s *spares) keep(ref Ref, path string) bool {
	s.mu.Lock()
	at, known := s.made[ref]
	delete(s.made, ref)
	s.next++
	name := filepath.Join(s.dir, strconv.Itoa(s.next))
	room := len(s.names) < maxSpares
	s.mu.Unlock()
	if !known || !room {
		return false
	}
	output := filepath.Join(path, outputName)
	if now, ok := untouched(output); !ok || now != at || !isEmpty(output) {
		return false
	}
	// Without the mark of a start.
	if err := errors.Join(os.Chmod(path, 0o700), os.Rename(path, name)); err != nil { //nolint:gosec // a folder, which nobody else may enter
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
	return true
}

// clear removes all spares; none are kept afterwards.
func (s *spares) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = nil
	return os.RemoveAll(s.dir)
}

// untouched returns the folder's change time, if it is an open one as
// makeOutputDir makes it.
func untouched(dir string) (syscall.Timespec, bool) {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		return syscall.Timespec{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return syscall.Timespec{}, false
	}
	return changeTime(stat), true
}

func isEmpty(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// makeOutputDir makes the attempt's folder with one in it that whatever user
// the image runs as may write to. Nobody else gets near it: the folders above
// are the worker's own.
func (a *Agent) makeOutputDir(ref Ref) error {
	dir := a.attemptDir(ref)
	output := filepath.Join(dir, outputName)
	if _, err := os.Lstat(output); err == nil {
		return nil // made before the engine went away
	}
	if a.spares.take(ref, dir) {
		return nil
	}
	for _, d := range []string{dir, output} {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the output folder: %w", err)
		}
	}
	// Mkdir would leave out what the umask forbids.
	if err := os.Chmod(output, 0o777|fs.ModeSticky); err != nil {
		return fmt.Errorf("open the output folder to the task: %w", err)
	}
	a.spares.note(ref, output)
	return nil
}

// removeOutput removes the attempt's folder.
func (a *Agent) removeOutput(ref Ref) error {
	dir := a.attemptDir(ref)
	if a.spares.keep(ref, dir) {
		return nil
	}
	return a.removeFolder(dir)
}

// removeFolder removes a folder of an attempt. A worker that is not root may
// not remove what a task has put into folders of its own; that stays, and is
// named, rather than hold everything else up.
func (a *Agent) removeFolder(dir string) error {
	err := os.RemoveAll(dir)
	if errors.Is(err, fs.ErrPermission) {
		a.log.Warn("the task's files belong to another user and stay: remove them as root, or run the worker as root",
			"folder", dir, "error", err)
		return nil
	}
	return err
}
