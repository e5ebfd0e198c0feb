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
	host, err := ofHost(t.Context(), t.TempDir())
	must(t, err)
	if host.CPU < 1 || host.Memory < 1 || host.Storage < 1 {
		t.Fatalf("host %+v", host)
	}
	got, err := Find(t.Context(), Capacity{CPU: 0.5, Memory: 1 << 40, GPU: 2}, t.TempDir(), Chosen{})
	must(t, err)
	if got.CPU != 0.5 || got.Memory != host.Memory || got.Storage < 1 || got.GPU != max(2, host.GPU) {
		t.Errorf("%+v", got)
	}
	cpu, memory, storage, gpu := 64.0, int64(1), int64(2), 3
	got, err = Find(t.Context(), Capacity{}, t.TempDir(), Chosen{CPU: &cpu, Memory: &memory, Storage: &storage, GPU: &gpu})
	must(t, err)
	if got != (Capacity{CPU: 64, Memory: 1, Storage: 2, GPU: 3}) {
		t.Errorf("%+v", got)
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
