package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unicode/utf8"

	"cloudai/worker/internal/executor"
)

// Bounds of what is delivered of an output folder.
const (
	maxDepth        = 64
	maxPath         = 1024 // bytes
	maxFiles        = 1 << 18
	maxEntries      = maxFiles // of all kinds, before the task is stopped
	maxSkippedBytes = 256 << 10
	namesAtOnce     = 1024
)

// attemptsName is the folder that holds one per attempt.
const attemptsName = "attempts"

func (a *Agent) attemptsDir() string { return filepath.Join(a.cfg.Dir, attemptsName) }

func attemptName(ref Ref) string { return fmt.Sprintf("%s-%d-%s", ref.TaskID, ref.Attempt, ref.Lease) }

func (a *Agent) attemptDir(ref Ref) string { return filepath.Join(a.attemptsDir(), attemptName(ref)) }

// outputName is the folder in an attempt's that the container sees.
const outputName = "output"

func (a *Agent) outputDir(ref Ref) string { return filepath.Join(a.attemptDir(ref), outputName) }

// sweep removes the folders of attempts that have no container: they were
// being made or removed when an earlier process ended. Those whose container
// has been started stay until the master knows; they are given back.
func (a *Agent) sweep(containers []executor.Container) (gone []Ref, err error) {
	if err := a.spares.clear(); err != nil {
		return nil, err
	}
	for _, dir := range []string{a.attemptsDir(), a.spares.dir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	keep := make(map[string]struct{})
	for _, c := range containers {
		keep[attemptName(refOf(c.Spec.Key))] = struct{}{}
	}
	entries, err := os.ReadDir(a.attemptsDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, ok := keep[e.Name()]; ok {
			continue
		}
		path := filepath.Join(a.attemptsDir(), e.Name())
		if ref, ok := parseAttemptName(e.Name()); ok && wasStarted(path) {
			gone = append(gone, ref)
			continue
		}
		if err := a.removeFolder(path); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func (a *Agent) collect(ctx context.Context, x Collect) feedback {
	defer enter(ctx, a.limits.collects)()
	c, err := CollectDir(ctx, x.Dir, x.Limit)
	return func(m *Machine, now time.Time) []Action { return m.Collected(now, x.Ref, c, err) }
}

// CollectDir lists the regular files below dir without following a link, those
// that fit into limit bytes (0: all). Whatever else lies there is named with
// the reason why it is left out.
func CollectDir(ctx context.Context, dir string, limit int64) (Collection, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Collection{}, err
	}
	defer root.Close()
	w := walker{ctx: ctx, limit: limit}
	err = w.walk(root, "", 0)
	slices.SortFunc(w.out.Files, func(x, y File) int { return compareStrings(x.Path, y.Path) })
	slices.SortFunc(w.out.Skipped, func(x, y Skipped) int { return compareStrings(x.Path, y.Path) })
	w.fit()
	return w.out, err
}

// DirSize is the apparent size of the regular files below dir in bytes, and how
// many entries of whatever kind lie there. What vanishes meanwhile does not
// count.
func DirSize(ctx context.Context, dir string) (size int64, entries int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, 0, err
	}
	defer root.Close()
	w := walker{ctx: ctx, sizeOnly: true}
	err = w.walk(root, "", 0)
	return w.out.Size, w.entries, err
}

// Held is how many bytes of their disk the output folders of a worker's data
// folder take. What cannot be looked at in time is missing from it.
func Held(ctx context.Context, dir string) int64 {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	root, err := os.OpenRoot(filepath.Join(dir, attemptsName))
	if err != nil {
		return 0 // there was no attempt yet
	}
	defer root.Close()
	w := walker{ctx: ctx, sizeOnly: true, blocks: true}
	_ = w.walk(root, "", 0)
	return w.out.Size
}

type walker struct {
	ctx          context.Context
	limit        int64
	sizeOnly     bool
	blocks       bool // a size is what a file takes of the disk, not where it ends
	out          Collection
	entries      int
	skippedBytes int
	unnamed      int // skipped beyond the bound
}

// walk goes through one folder. Every folder is opened below its parent, so
// that the time does not grow with the depth.
func (w *walker) walk(dir *os.Root, prefix string, depth int) error {
	names, err := dir.Open(".")
	if err != nil {
		return w.unreadable(prefix, err)
	}
	defer names.Close()
	for {
		batch, err := names.Readdirnames(namesAtOnce)
		for _, name := range batch {
			if err := w.entry(dir, name, path.Join(prefix, name), depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return w.unreadable(prefix, err)
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
}

func (w *walker) entry(dir *os.Root, name, at string, depth int) error {
	info, err := dir.Lstat(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.skip(at, plainError(err))
		}
		return nil
	}
	w.entries++
	switch {
	case info.IsDir():
		return w.folder(dir, name, at, depth)
	case !info.Mode().IsRegular():
		w.skip(at, kindOf(info.Mode()))
	default:
		w.file(at, info)
	}
	return nil
}

func (w *walker) folder(dir *os.Root, name, at string, depth int) error {
	if depth+1 > maxDepth {
		w.skip(at, fmt.Sprintf("more than %d folders deep", maxDepth))
		return nil
	}
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return w.unreadable(at, err)
	}
	defer sub.Close()
	return w.walk(sub, at, depth+1)
}

func (w *walker) file(at string, info fs.FileInfo) {
	size := info.Size()
	if w.blocks {
		size = onDisk(info)
	}
	w.out.Size += size
	switch {
	case w.sizeOnly:
	case !utf8.ValidString(at):
		w.skip(at, "the name is not UTF-8")
	case len(at) > maxPath:
		w.skip(at, fmt.Sprintf("the path is longer than %d bytes", maxPath))
	default:
		w.out.Files = append(w.out.Files, File{Path: at, Size: info.Size(), Mode: uint32(info.Mode().Perm())})
	}
}

// onDisk is what removing a file surely gives back to its disk. One with several
// names counts for none of them, as one may be outside.
func onDisk(info fs.FileInfo) int64 {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || s.Nlink > 1 {
		return 0
	}
	return s.Blocks * 512 // whatever the file system's own are
}

// fit leaves out what goes beyond the limits, in the order of the paths.
func (w *walker) fit() {
	var total int64
	kept := w.out.Files[:0]
	for _, f := range w.out.Files {
		switch {
		case w.limit > 0 && total+f.Size > w.limit:
			w.skip(f.Path, "the output exceeds storage_required")
		case len(kept) >= maxFiles:
			w.skip(f.Path, fmt.Sprintf("more than %d files", maxFiles))
		default:
			total += f.Size
			kept = append(kept, f)
		}
	}
	w.out.Files = kept
	if w.unnamed > 0 {
		w.out.Skipped = append(w.out.Skipped, Skipped{Reason: fmt.Sprintf("and %d more", w.unnamed)})
	}
}

func (w *walker) unreadable(at string, err error) error {
	if at == "" {
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		w.skip(at, plainError(err))
	}
	return nil
}

func (w *walker) skip(at, reason string) {
	if w.sizeOnly {
		return
	}
	if !utf8.ValidString(at) {
		at = escape(at)
	}
	if len(at) > maxPath {
		at = at[:maxPath] + "..."
		at = string([]rune(at)) // not in the middle of a character
	}
	if w.skippedBytes += len(at) + len(reason); w.skippedBytes > maxSkippedBytes {
		w.unnamed++
		return
	}
	w.out.Skipped = append(w.out.Skipped, Skipped{Path: at, Reason: reason})
}

// escape writes a name that is not UTF-8 as Go does within quotes.
func escape(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "not a regular file"
}

// plainError leaves out the path, which stands beside it.
func plainError(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// openRegular opens a file that was found to be regular. Should it be something
// else by now, opening neither waits nor follows.
func openRegular(root *os.Root, name string) (*os.File, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is no longer a regular file", name)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		return nil, errors.Join(fmt.Errorf("%q changed while it was opened", name), err, f.Close())
	}
	return f, nil
}

func compareStrings(x, y string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
