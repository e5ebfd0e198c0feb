package system

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDataDirIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	d, err := OpenDataDir(dir)
	must(t, err)
	if _, err := OpenDataDir(dir); err == nil || !strings.Contains(err.Error(), "another worker (process") {
		t.Errorf("opened twice: %v", err)
	}
	must(t, d.Close())
	d, err = OpenDataDir(dir)
	must(t, err)
	must(t, d.Close())
}

func TestWorkerIDIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenDataDir(dir)
	must(t, err)
	defer d.Close()
	if id, err := d.WorkerID("chosen"); id != "chosen" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	first, err := d.WorkerID("")
	must(t, err)
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*-[0-9a-f]{4}$`).MatchString(first) {
		t.Errorf("id %q", first)
	}
	if again, err := d.WorkerID(""); again != first || err != nil {
		t.Errorf("%q, then %q, %v", first, again, err)
	}
	must(t, os.Remove(filepath.Join(dir, idFile)))
	must(t, os.Mkdir(filepath.Join(dir, idFile), 0o700))
	if _, err := d.WorkerID(""); err == nil {
		t.Error("an id that cannot be read is replaced")
	}
}

func TestLeavingIsRememberedOnce(t *testing.T) {
	d, err := OpenDataDir(t.TempDir())
	must(t, err)
	defer d.Close()
	if d.TakeLeft() {
		t.Error("left before it ever came")
	}
	must(t, d.MarkLeft())
	if !d.TakeLeft() {
		t.Error("forgotten")
	}
	if d.TakeLeft() {
		t.Error("remembered twice")
	}
}

func TestPlainHost(t *testing.T) {
	for host, want := range map[string]string{
		"vm": "vm", "My.Host_1": "my-host-1", "": "worker", "-.-": "worker", "ärger": "rger", strings.Repeat("x", 100): strings.Repeat("x", maxHost),
	} {
		if got := plainHost(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestCapacityIsTheLesser(t *testing.T) {
	host, err := ofHost(t.Context())
	must(t, err)
	if host.CPU < 1 || host.Memory < 1 {
		t.Fatalf("host %+v", host)
	}
	got, err := Find(t.Context(), Capacity{CPU: 0.5, Memory: 1 << 40, GPU: 2}, 7, Chosen{})
	must(t, err)
	if got.CPU != 0.5 || got.Memory != host.Memory || got.Storage != 7 || got.GPU != max(2, host.GPU) {
		t.Errorf("%+v", got)
	}
	cpu, memory, storage, gpu := 64.0, int64(1), int64(2), 3
	got, err = Find(t.Context(), Capacity{}, 7, Chosen{CPU: &cpu, Memory: &memory, Storage: &storage, GPU: &gpu})
	must(t, err)
	if got != (Capacity{CPU: 64, Memory: 1, Storage: 2, GPU: 3}) {
		t.Errorf("%+v", got)
	}
}

func TestRoomIsTheLeast(t *testing.T) {
	const none = "/proc" // a file system of its own on which nothing is free
	here, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	nothing := func(int64) int64 { return 0 }
	whole := func(total int64) int64 { return total }
	for _, c := range []struct {
		disks Disks
		held  int64 // MiB
		want  int64 // -1: an error; -2: some
	}{
		{Disks{Output: here, Reserve: nothing}, 0, -2},
		{Disks{Output: here, Engine: here, Reserve: nothing}, 0, -2},
		{Disks{Output: here, Reserve: whole}, 0, 0},
		{Disks{Output: here, Engine: none, Reserve: nothing}, 0, 0},
		{Disks{Output: none, Engine: here, Reserve: nothing}, 0, 0},
		{Disks{Output: none, Reserve: nothing}, 5, 5},
		{Disks{Output: none, Engine: none + "/self", Reserve: nothing}, 5, 5}, // what goes is free there, too
		{Disks{Output: here, Engine: none, Reserve: nothing}, 5, 0},           // and here it is not
		{Disks{Output: none, Reserve: nothing}, 1 << 42, maxMiB},
		{Disks{Output: gone, Reserve: nothing}, 0, -1},
		{Disks{Output: here, Engine: gone, Reserve: nothing}, 0, -1},
	} {
		got, err := c.disks.Offer(t.Context(), c.held<<20)
		switch {
		case c.want == -1 && err == nil, c.want == -2 && got < 1, c.want >= 0 && got != c.want, c.want != -1 && err != nil:
			t.Errorf("%+v, %d held: %d, %v; want %d", c.disks, c.held, got, err, c.want)
		}
	}
	if got, err := (Disks{Output: here, Reserve: whole}).Room(t.Context()); got != 0 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestGPUs(t *testing.T) {
	for out, want := range map[string][]GPU{
		"":                   nil,
		"0\n":                {{}},
		"35\n [N/A]\n\n7 \n": {{35}, {0}, {7}},
		"1e9\nNaN\n":         {{}, {}},
	} {
		got := parseGPUs(out)
		if len(got) != len(want) {
			t.Errorf("%q: %v", out, got)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %v", out, got)
			}
		}
	}
	// A program of that name that fails counts as no GPU.
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\necho 50; echo 60; exit $CODE\n"), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CODE", "9")
	if got := GPUs(t.Context()); got != nil {
		t.Errorf("%v", got)
	}
	t.Setenv("CODE", "0")
	if got := GPUs(t.Context()); len(got) != 2 || got[1].Use != 60 {
		t.Errorf("%v", got)
	}
}

func FuzzParseGPUs(f *testing.F) {
	f.Add("35\n[N/A]\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, g := range parseGPUs(out) {
			if !(g.Use >= 0 && g.Use <= 100) {
				t.Errorf("%q: %v", out, g)
			}
		}
	})
}
