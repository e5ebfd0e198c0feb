package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestPiecesComeInOrder(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	steps := []struct {
		chunk    Chunk
		want     error
		received int64
		complete bool
	}{
		{Chunk{Offset: 3, Data: []byte("x")}, cluster.ErrConflict, 0, false},
		{Chunk{Offset: -1, Data: []byte("x")}, cluster.ErrInvalid, 0, false},
		{Chunk{Offset: math.MaxInt64, Data: []byte("x")}, cluster.ErrInvalid, 0, false},
		{Chunk{Data: []byte("0123")}, nil, 4, false},
		{Chunk{Data: []byte("0123")}, nil, 4, false},                         // a repeat
		{Chunk{Offset: 2, Data: []byte("2345")}, nil, 6, false},              // an overlap
		{Chunk{Offset: 7, Data: []byte("7")}, cluster.ErrConflict, 6, false}, // a hole
		{Chunk{Offset: 6, Last: true}, nil, 6, true},
		{Chunk{Offset: 6, Last: true}, nil, 6, true},
		{Chunk{Data: []byte("012345"), Last: true}, nil, 6, true},
		{Chunk{Offset: 6, Data: []byte("6")}, cluster.ErrConflict, 6, true}, // beyond the end
	}
	for i, s := range steps {
		s.chunk.Path = "f"
		if err := k.WriteChunk(owner, ref, s.chunk); !errors.Is(err, s.want) {
			t.Fatalf("step %d: got %v, want %v", i, err, s.want)
		}
		got, _, err := k.Staged(t.Context(), ref, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var want []StagedFile
		if i >= 3 {
			want = []StagedFile{{"f", s.received, s.complete}}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: staged %+v, want %+v", i, got, want)
		}
	}
	// An end before what is there: the file has to come anew.
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Offset: 1, Data: []byte("1"), Last: true}); !errors.Is(err, cluster.ErrConflict) {
		t.Fatalf("shorter file: %v", err)
	}
	want := tree{"f": "09"}
	want.upload(t, k, ref, 1)
	mustPublish(t, k, ref, want)
}

// TestF20BrokenOffAgainAndAgain resumes an upload through restarts of the
// master until it is whole.
func TestF20BrokenOffAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	data := make([]byte, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	want := tree{"big": string(data)}
	for restarts := 0; ; restarts++ {
		k := newKeeper(t, dir)
		staged, _, err := k.Staged(t.Context(), ref, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		if len(staged) > 0 {
			at = int(staged[0].Received)
		}
		at = max(0, at-rng.IntN(5000)) // resumes a little too early
		for range 1 + rng.IntN(4) {
			end := min(at+1+rng.IntN(64<<10), len(data))
			if err := k.WriteChunk(owner, ref, Chunk{Path: "big", Offset: int64(at), Data: data[at:end], Last: end == len(data)}); err != nil {
				t.Fatal(err)
			}
			if at = end; at == len(data) {
				mustPublish(t, k, ref, want)
				t.Logf("%d restarts", restarts)
				return
			}
		}
	}
}

func TestF14FullDiskIsRefusedEarly(t *testing.T) {
	free := int64(300 << 20)
	k := newKeeper(t, t.TempDir(), func(c *Config) {
		c.Reserve, c.MaxFiles = 256, 2 // the tenth of a small disk is less
		c.Free = func() (int64, error) { return free, nil }
	})
	if err := k.WriteChunk(owner, ref, Chunk{Path: "a", Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	free = 256 << 20
	if err := k.WriteChunk(owner, ref, Chunk{Path: "a", Offset: 1, Data: []byte("2")}); !errors.Is(err, cluster.ErrQuota) {
		t.Fatalf("got %v, want ErrQuota", err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "b"}); err != nil {
		t.Fatalf("a file without a byte needs no room: %v", err)
	}
	free = 1 << 40
	if err := k.WriteChunk(owner, ref, Chunk{Path: "c"}); !errors.Is(err, cluster.ErrQuota) {
		t.Fatalf("one file too many: got %v, want ErrQuota", err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "a", Offset: 1, Data: []byte("2"), Last: true}); err != nil {
		t.Fatalf("a file that is there already: %v", err)
	}
	mustPublish(t, k, ref, tree{"a": "12"})
}

func TestF21HostilePaths(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	k := newKeeper(t, dir)
	for _, p := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a/./b", "a//b", "a/", "a\x00b",
		"\xff\xfe", strings.Repeat("a", 256), strings.Repeat("a/", 256) + "a", strings.Repeat("abcdefg/", 600),
	} {
		if err := k.WriteChunk(owner, ref, Chunk{Path: p, Data: []byte("x"), Last: true}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%.40q: got %v, want ErrInvalid", p, err)
		}
		if _, _, err := k.OpenFile(owner, ref.TaskID, p); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("open %.40q: got %v, want ErrInvalid", p, err)
		}
	}
	wantDisk(t, dir)

	// Paths that contradict each other.
	tree{"file": "x", "folder/x": "y"}.upload(t, k, ref, 1)
	for _, p := range []string{"file/below", "folder"} {
		if err := k.WriteChunk(owner, ref, Chunk{Path: p, Data: []byte("x")}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", p, err)
		}
	}

	// Links that someone has planted: whatever happens, nothing goes through.
	stage := under(dir, ".staging/t1/1-l1")
	write(t, filepath.Join(outside, "secret"), "secret")
	for link, to := range map[string]string{"out": outside, "abs": filepath.Join(outside, "secret"), "loop": "loop", "up": "../../../.."} {
		if err := os.Symlink(to, filepath.Join(stage, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"out/x", "abs", "loop", "loop/x", "up/x", "out/secret"} {
		if err := k.WriteChunk(owner, ref, Chunk{Path: p, Data: []byte("x"), Last: true}); err == nil {
			t.Errorf("written through the link: %s", p)
		}
	}
	good := tree{"file": "x", "folder/x": "y"}
	mustPublish(t, k, ref, good)
	wantDisk(t, dir, "ann/", "ann/t1/", "ann/t1/file", "ann/t1/folder/", "ann/t1/folder/x")
	if got := onDisk(t, outside); !slices.Equal(got, []string{"secret"}) {
		t.Fatalf("outside: %q", got)
	}

	// A link in the published folder is not followed either.
	if err := os.Symlink(filepath.Join(outside, "secret"), under(dir, "ann/t1/link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.OpenFile(owner, ref.TaskID, "link"); !errors.Is(err, cluster.ErrNotFound) {
		t.Fatalf("opened through a link: %v", err)
	}
	for _, p := range []string{"nothing", "file/below", "folder"} {
		if _, _, err := k.OpenFile(owner, ref.TaskID, p); !errors.Is(err, cluster.ErrNotFound) {
			t.Fatalf("open %q: got %v, want ErrNotFound", p, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "/a", "a//b", "a/./b", "\xff", "a\x00", "ä/\n"} {
		f.Add(s)
	}
	top := f.TempDir()
	dir := filepath.Join(top, "files")
	k := newKeeper(f, dir)
	f.Fuzz(func(t *testing.T, p string) {
		err := k.WriteChunk(owner, ref, Chunk{Path: p, Data: []byte(p), Last: true})
		if (err == nil) != (CheckPath(p) == nil) {
			t.Fatalf("%q: %v, but check says %v", p, err, CheckPath(p))
		}
		if err == nil {
			if p != filepath.Clean(p) || !filepath.IsLocal(p) {
				t.Fatalf("accepted %q", p)
			}
			got, err := os.ReadFile(under(dir, ".staging/t1/1-l1/"+p))
			if err != nil || string(got) != p {
				t.Fatalf("%q: %q, %v", p, got, err)
			}
			if err := k.afresh(); err != nil {
				t.Fatal(err)
			}
		}
		if entries, err := os.ReadDir(top); err != nil || len(entries) != 1 {
			t.Fatalf("%q left the folder: %v, %v", p, entries, err)
		}
	})
}

func TestManyAttemptsAtOnce(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for attempt := range 5 {
				r := cluster.AttemptRef{TaskID: cluster.TaskID(fmt.Sprintf("t%d", i/2)), Attempt: 2*attempt + i%2, Lease: "l"}
				files := tree{"a/x": strings.Repeat("x", 100*i), "y": fmt.Sprint(attempt)}
				files.upload(t, k, r, 37)
				if attempt < 4 || i%2 == 1 {
					if err := k.Discard(r); err != nil {
						t.Error(err)
					}
					continue
				}
				if _, err := k.Publish(t.Context(), owner, r, files.manifest()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(k.stages) != 0 {
		t.Fatalf("%d stages left", len(k.stages))
	}
	if got := len(onDisk(t, dir)); got != 1+4*4 {
		t.Fatalf("on disk: %q", onDisk(t, dir))
	}
}

func TestOneAttemptFromManySides(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	data := strings.Repeat("0123456789", 2000)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // repeats of each other, as after a lost reply
			for at := 0; at < len(data); at += 500 {
				for {
					err := k.WriteChunk(owner, ref, Chunk{Path: "f", Offset: int64(at), Data: []byte(data[at : at+500]), Last: at+500 == len(data)})
					if err == nil {
						break
					}
					if !errors.Is(err, cluster.ErrConflict) {
						t.Errorf("side %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	mustPublish(t, k, ref, tree{"f": data})
}

// TestF20ConstantMemory uploads and publishes 256 MiB and looks at what stays
// and what was allocated on the way.
func TestF20ConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("256 MiB")
	}
	k := newKeeper(t, t.TempDir())
	piece := bytes.Repeat([]byte("0123456789abcdef"), 16<<10) // 256 KiB
	sum := sha256.New()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const pieces = 1024
	for i := range pieces {
		sum.Write(piece)
		c := Chunk{Path: "big", Offset: int64(i * len(piece)), Data: piece, Last: i == pieces-1}
		if err := k.WriteChunk(owner, ref, c); err != nil {
			t.Fatal(err)
		}
	}
	m := cluster.Manifest{Files: []cluster.File{{Path: "big", Size: int64(pieces * len(piece)), SHA256: fmt.Sprintf("%x", sum.Sum(nil))}}}
	if _, err := k.Publish(t.Context(), owner, ref, m); err != nil {
		t.Fatal(err)
	}
	// The same once more, from the disk.
	if _, err := k.Publish(t.Context(), owner, ref, m); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Fatalf("%d bytes allocated for 256 MiB", n)
	}
}

var manyFiles = flag.Int("files", 5_000, "how many files TestF21ManySmallFiles uploads")

func TestF21ManySmallFiles(t *testing.T) {
	n := *manyFiles
	k := newKeeper(t, t.TempDir())
	m := cluster.Manifest{}
	for i := range n {
		data := fmt.Sprint(i)
		p := fmt.Sprintf("%d/%d.txt", i%100, i)
		if err := k.WriteChunk(owner, ref, Chunk{Path: p, Data: []byte(data), Last: true}); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, cluster.File{Path: p, Size: int64(len(data)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(data)))})
	}
	rows, err := k.Publish(context.Background(), owner, ref, m)
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}
