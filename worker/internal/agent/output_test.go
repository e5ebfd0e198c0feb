package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"cloudai/worker/internal/executor"
)

func write(t testing.TB, path string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o640); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// F21: only regular files with names that can be told are delivered, and
// whatever else lies there is named.
func TestF21HostileOutputs(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, 10)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain.txt"), 3)
	write(t, dir+"/a/b/c.bin", 5)
	write(t, dir+"/new\nline", 1)
	write(t, filepath.Join(dir, "..hidden"), 1)
	write(t, dir+"/bad\xffname", 1)
	must(t, os.Symlink(outside, filepath.Join(dir, "absolute")))
	must(t, os.Symlink("../../..", filepath.Join(dir, "up")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, os.Symlink("a", filepath.Join(dir, "folder")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	t.Chdir(dir) // a socket's path must be short
	l, err := net.Listen("unix", "socket")
	must(t, err)
	defer l.Close()
	deep := dir + strings.Repeat("/d", maxDepth+2)
	write(t, filepath.Join(deep, "lost"), 1)
	sparse := filepath.Join(dir, "sparse")
	write(t, sparse, 0)
	must(t, os.Truncate(sparse, 1<<30))

	c, err := CollectDir(context.Background(), dir, 2<<30)
	must(t, err)
	var got []string
	for _, f := range c.Files {
		got = append(got, fmt.Sprintf("%q %d", f.Path, f.Size))
	}
	want := []string{`"..hidden" 1`, `"a/b/c.bin" 5`, `"new\nline" 1`, `"plain.txt" 3`, `"sparse" 1073741824`}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("files %v", got)
	}
	reasons := map[string]string{}
	for _, s := range c.Skipped {
		reasons[s.Path] = s.Reason
		if !utf8.ValidString(s.Path) {
			t.Errorf("skipped path %q is not UTF-8", s.Path)
		}
	}
	for path, reason := range map[string]string{
		"absolute": "symbolic link", "up": "symbolic link", "loop": "symbolic link", "folder": "symbolic link",
		"fifo": "named pipe", "socket": "socket", `bad\xffname`: "the name is not UTF-8",
		strings.TrimSuffix(strings.Repeat("d/", maxDepth+1), "/"): "more than 64 folders deep",
	} {
		if reasons[path] != reason {
			t.Errorf("%s: %q, expected %q", path, reasons[path], reason)
		}
	}
	if len(c.Skipped) != 8 {
		t.Errorf("skipped %v", c.Skipped)
	}
	if size, entries, err := DirSize(context.Background(), dir); err != nil || size < 1<<30 || entries < 13 {
		t.Errorf("size %d, %d entries, %v", size, entries, err)
	}
}

// F14: what goes beyond the task's storage is not delivered.
func TestF14OutputBeyondItsLimit(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		write(t, filepath.Join(dir, name), 40)
	}
	write(t, filepath.Join(dir, "e"), 5)
	c, err := CollectDir(context.Background(), dir, 100)
	must(t, err)
	if len(c.Files) != 3 || c.Files[2].Path != "e" || len(c.Skipped) != 2 || c.Size != 165 {
		t.Errorf("%+v", c)
	}
}

func TestSkippedListIsBounded(t *testing.T) {
	dir := t.TempDir()
	const links = 4000
	for i := range links {
		must(t, os.Symlink("x", filepath.Join(dir, fmt.Sprintf("%0100d", i))))
	}
	c, err := CollectDir(context.Background(), dir, 0)
	must(t, err)
	last := c.Skipped[len(c.Skipped)-1]
	if len(c.Skipped) >= links || last.Path != "" || !strings.HasPrefix(last.Reason, "and ") {
		t.Errorf("%d entries, last %v", len(c.Skipped), last)
	}
}

func TestOpenRegularRefusesWhatIsNone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), 1)
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	for name, ok := range map[string]bool{"file": true, "link": false, "fifo": false, "../x": false, "none": false} {
		f, err := openRegular(root, name)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			must(t, f.Close())
		}
	}
}

func TestOutputFolderIsMadeAndSwept(t *testing.T) {
	a := New(Config{Dir: t.TempDir()})
	swept(t, a, nil)
	kept, gone := Ref{TaskID: "kept", Attempt: 1, Lease: "l"}, Ref{TaskID: "gone", Attempt: 2, Lease: "l"}
	for _, ref := range []Ref{kept, gone} {
		for range 2 {
			must(t, a.makeOutputDir(ref))
		}
		write(t, a.outputDir(ref)+"/x/y", 1)
	}
	info, err := os.Stat(a.outputDir(kept))
	must(t, err)
	if info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("mode %v", info.Mode())
	}
	key := executor.Key{ClusterID: "c", TaskID: "kept", Attempt: 1, Lease: "l"}
	swept(t, a, []executor.Container{{Spec: executor.Spec{Key: key}}})
	if _, err := os.Stat(a.attemptDir(gone)); !os.IsNotExist(err) {
		t.Errorf("not swept: %v", err)
	}
	if _, err := os.Stat(a.outputDir(kept)); err != nil {
		t.Error(err)
	}
	must(t, a.removeOutput(kept))
	must(t, a.removeOutput(kept))
	if _, err := os.Stat(a.attemptDir(kept)); !os.IsNotExist(err) {
		t.Errorf("not removed: %v", err)
	}
}

// TestOnlyUntouchedFoldersAreUsedAgain: nothing of one task, not even a mode,
// is there for the next one.
func TestOnlyUntouchedFoldersAreUsedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		touch func(output string) error
		again bool
	}{
		"nothing": {func(string) error { return nil }, true},
		"file":    {func(o string) error { return os.WriteFile(filepath.Join(o, "x"), nil, 0o600) }, false},
		"file that was removed": {func(o string) error {
			return errors.Join(os.WriteFile(filepath.Join(o, "x"), nil, 0o600), os.Remove(filepath.Join(o, "x")))
		}, false},
		"mode": {func(o string) error { return os.Chmod(o, 0o700) }, false},
		"mode and back": {func(o string) error {
			return errors.Join(os.Chmod(o, 0o700), os.Chmod(o, 0o777|os.ModeSticky))
		}, false},
		"other folder": {func(o string) error {
			return errors.Join(os.Remove(o), os.Mkdir(o, 0o700), os.Chmod(o, 0o777|os.ModeSticky))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(Config{Dir: t.TempDir()})
			swept(t, a, nil)
			must(t, a.makeOutputDir(ref1))
			awaitTick(t, a.outputDir(ref1))
			must(t, c.touch(a.outputDir(ref1)))
			must(t, a.removeOutput(ref1))
			if got := len(a.spares.names) == 1; got != c.again {
				t.Errorf("kept: %v", got)
			}
			ref2 := Ref{TaskID: "t2", Attempt: 1, Lease: "l"}
			must(t, a.makeOutputDir(ref2))
			info, err := os.Stat(a.outputDir(ref2))
			must(t, err)
			entries, err := os.ReadDir(a.outputDir(ref2))
			must(t, err)
			if info.Mode() != os.ModeDir|os.ModeSticky|0o777 || len(entries) != 0 {
				t.Errorf("mode %v, %v", info.Mode(), entries)
			}
			must(t, a.spares.clear())
		})
	}
}

// awaitTick waits until a change would show in the folder's change time.
func awaitTick(t *testing.T, dir string) {
	t.Helper()
	made, ok := untouched(dir)
	if !ok {
		t.Fatal("not as it was made")
	}
	probe := filepath.Join(t.TempDir(), "probe")
	for range 1_000_000 {
		must(t, os.WriteFile(probe, nil, 0o600))
		info, err := os.Stat(probe)
		must(t, err)
		if changeTime(info.Sys().(*syscall.Stat_t)) != made {
			return
		}
	}
	t.Fatal("the clock stands still")
}

func FuzzSkippedNames(f *testing.F) {
	f.Add("a")
	f.Add("\xff\x00")
	f.Add(strings.Repeat("ä", 2000))
	f.Fuzz(func(t *testing.T, name string) {
		w := walker{}
		w.skip(name, "reason")
		for _, s := range w.out.Skipped {
			if !utf8.ValidString(s.Path) {
				t.Errorf("%q became %q", name, s.Path)
			}
		}
	})
}

// A folder that was wiped is no empty output: what was in it is lost.
func TestFolderThatIsGoneIsNoEmptyOutput(t *testing.T) {
	if c, err := CollectDir(t.Context(), filepath.Join(t.TempDir(), "output"), 0); err == nil {
		t.Errorf("%+v", c)
	}
}
