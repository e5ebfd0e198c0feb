package pulled

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// disk is an engine's: each image takes its bytes.
type disk struct {
	total   int64
	free    int64
	ids     map[string]string // by name
	sizes   map[string]int64  // by id
	refuse  map[string]error  // by name
	asked   []string          // names that were to be removed
	removed []string
	away    error
}

func (d *disk) Room(context.Context) (free, total int64, err error) { return d.free, d.total, d.away }

func (d *disk) RemoveImage(_ context.Context, name, id string) error {
	d.asked = append(d.asked, name)
	if err := d.refuse[name]; err != nil {
		return err
	}
	if d.ids[name] != id {
		return ErrGone
	}
	delete(d.ids, name)
	d.free += d.sizes[id]
	d.removed = append(d.removed, name)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openRecord(t *testing.T, path string) *Record {
	t.Helper()
	r, err := Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(images []Image) (out []string) {
	for _, i := range images {
		out = append(out, i.Name)
	}
	return out
}

// kept is a record of images a to d, pulled in this order a minute apart, and a
// disk of 1000 bytes with them and one of somebody else's.
func kept(t *testing.T) (*Record, *disk) {
	t.Helper()
	r := openRecord(t, filepath.Join(t.TempDir(), "images.json"))
	d := &disk{total: 1000, ids: map[string]string{"theirs": "#x"}, sizes: map[string]int64{"#x": 500}, refuse: map[string]error{}}
	for _, name := range []string{"a", "b", "c", "d"} {
		d.ids[name], d.sizes["#"+name] = "#"+name, 100
		r.Pulled(name, "#"+name)
		time.Sleep(time.Minute)
	}
	return r, d
}

func TestF14ImagesMakeRoom(t *testing.T) {
	for _, c := range []struct {
		name    string
		free    int64
		prepare func(*Record, *disk)
		wanted  string
		removed string // in order
		left    string // in the record, oldest first
	}{
		{name: "room enough", free: 200, left: "a b c d"},
		{name: "the oldest goes", free: 199, removed: "a", left: "b c d"},
		{name: "no more than needed", free: 20, removed: "a b", left: "c d"},
		{name: "never another's, even so", free: -5000, removed: "a b c d"},
		{name: "never one that a task needs", free: 0, wanted: "a c", removed: "b d", left: "a c"},
		{name: "the last use counts", free: 150, prepare: func(r *Record, _ *disk) { r.Used("a") }, removed: "b", left: "c d a"},
		{name: "what is used by others stays", free: 100, prepare: func(_ *Record, d *disk) { d.refuse["a"] = ErrInUse }, removed: "b", left: "a c d"},
		{name: "a failure is not the end", free: 100, prepare: func(_ *Record, d *disk) { d.refuse["a"] = errors.New("broken") }, removed: "b", left: "a c d"},
		{name: "a name that stands for another image now", free: 100, prepare: func(_ *Record, d *disk) { d.ids["a"] = "#x" }, removed: "b", left: "c d"},
		{name: "one that somebody has removed", free: 100, prepare: func(_ *Record, d *disk) { delete(d.ids, "a") }, removed: "b", left: "c d"},
		{name: "the disk is another host's", free: 0, prepare: func(_ *Record, d *disk) { d.total = 0 }, left: "a b c d"},
		{name: "the engine is away", free: 0, prepare: func(_ *Record, d *disk) { d.away = errors.New("away") }, left: "a b c d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, d := kept(t)
				d.free = c.free
				if c.prepare != nil {
					c.prepare(r, d)
				}
				k := &Keeper{Record: r, Engine: d, Log: quiet(), Reserve: func(total int64) int64 { return total / 10 }}
				k.Look(t.Context(), func(i Image) bool { return slices.Contains(strings.Fields(c.wanted), i.Name) })
				if !slices.Equal(d.removed, strings.Fields(c.removed)) {
					t.Errorf("removed %v, want %s", d.removed, c.removed)
				}
				again := openRecord(t, r.path)
				left := names(r.Oldest())
				slices.Sort(left)
				want := strings.Fields(c.left)
				slices.Sort(want)
				if got := names(again.Oldest()); !slices.Equal(left, want) || len(got) != len(want) {
					t.Errorf("left %v, and in the file %v, want %s", left, got, c.left)
				}
				if c.wanted == "" && !slices.Equal(names(r.Oldest()), strings.Fields(c.left)) {
					t.Errorf("in the order of %v, want %s", names(r.Oldest()), c.left)
				}
				if slices.Contains(d.asked, "theirs") {
					t.Error("the engine was asked to remove another's image")
				}
			})
		})
	}
}

// An image that a task has had for long was used a moment ago when the task
// ends, though nobody has asked for it since.
func TestUsedUntilTheTaskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := kept(t)
		d.free = 1000
		k := &Keeper{Record: r, Engine: d, Log: quiet(), Reserve: func(int64) int64 { return 100 }}
		ctx, cancel := context.WithCancel(t.Context())
		var wanted atomic.Bool
		wanted.Store(true)
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx, func(i Image) bool { return wanted.Load() && i.Name == "a" }) }()
		time.Sleep(time.Hour + time.Second)
		wanted.Store(false)
		synctest.Wait()
		if newest := r.Oldest()[3]; newest.Name != "a" || time.Since(newest.UsedAt) > lookEvery {
			t.Errorf("used last: %+v at %v", newest, time.Now())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if kept := openRecord(t, r.path).Oldest()[3]; kept.Name != "a" || time.Since(kept.UsedAt) > lookEvery {
			t.Errorf("kept as used last: %+v at %v", kept, time.Now())
		}
	})
}

// What is not in a record any more stays on the disk; what is half written is no
// record.
func TestDamagedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "images.json")
	for _, text := range []string{"", "[{", `{"a": 1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := openRecord(t, path)
		if got := r.Oldest(); len(got) != 0 {
			t.Errorf("%q: %v", text, got)
		}
		r.Pulled("a", "#a")
		if got := names(openRecord(t, path).Oldest()); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%q: after a pull %v", text, got)
		}
	}
	if _, err := Open(t.TempDir(), quiet()); err == nil {
		t.Error("a folder was read as a record")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the record: %v, %v", entries, err)
	}
}

// A record that cannot be written goes on in memory, and is written once it can
// be.
func TestRecordThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	r := openRecord(t, filepath.Join(dir, "images.json"))
	r.Pulled("a", "#a")
	if got := names(r.Oldest()); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("in memory: %v", got)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.Keep()
	if got := names(openRecord(t, r.path).Oldest()); !slices.Equal(got, []string{"a"}) {
		t.Errorf("in the file: %v", got)
	}
}
