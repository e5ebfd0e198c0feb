package config

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, env map[string]string, args ...string) (Config, error) {
	t.Helper()
	return Load(args, func(name string) string { return env[name] }, t.Output())
}

func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := load(t, map[string]string{"HOME": "/home/x"})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		MasterAddr: "localhost:50051", Listen: Listen{Addr: "0.0.0.0:50052"}, DataDir: "./data/worker",
		Join: Join{TokenFile: "./data/master/join-token"}, Labels: map[string]string{},
		Engine: Engine{Executor: "docker", DockerConfig: "/home/x/.docker"}, RestartGrace: 10 * time.Minute, TLS: true,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestFlagBeforeEnvironmentBeforeFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := "MASTER_ADDR=file:1\nWORKER_ID=from-file\nWORKER_MEMORY=1g\n"
	if err := os.WriteFile(".env", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(dir, "named.env")
	if err := os.WriteFile(named, []byte("WORKER_ID=from-named\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"MASTER_ADDR": "env:2", "WORKER_ID": "from-env", "EXECUTOR": ""}
	for _, c := range []struct {
		args       []string
		env        map[string]string
		master, id string
		fixed      bool
	}{
		{nil, nil, "file:1", "from-file", false},
		{nil, env, "env:2", "from-env", false},
		{[]string{"--master-addr", "flag:3", "--worker-addr=127.0.0.1:50052"}, env, "flag:3", "from-env", true},
		{[]string{"--env-file", named}, nil, "localhost:50051", "from-named", false},
	} {
		got, err := load(t, c.env, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if got.MasterAddr != c.master || got.WorkerID != c.id || got.Listen.Fixed != c.fixed || got.Engine.Executor != "docker" {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
}

func TestBadValuesAreNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, values := range map[string][]string{
		"MASTER_ADDR":    {"nowhere", "host:port:2", "host:99999"},
		"WORKER_ADDR":    {"50052", ":-1"},
		"ADVERTISE_ADDR": {"0.0.0.0", "[::]:5", "a b", "host:x"},
		"WORKER_ID":      {"a/b", "-x", "ä", strings.Repeat("x", 65)},
		"JOIN_TOKEN":     {"secret"},
		"WORKER_LABELS":  {"a", "=b", "a=1,a=2", "a=\x00", "\xff=1"},
		"WORKER_CPU":     {"0", "-1", "NaN", "Inf", "many"},
		"WORKER_MEMORY":  {"0", "-5", "5x", "g", "1e30t", "512b"},
		"WORKER_STORAGE": {"NaN", "1k"},
		"WORKER_GPU":     {"-1", "1.5", "99999999999"},
		"EXECUTOR":       {"podman"},
		"RESTART_GRACE":  {"10", "-1s"},
		"TLS":            {"maybe", "off"},
		"LOG_LEVEL":      {"loud"},
		"LOG_FORMAT":     {"xml"},
	} {
		for _, v := range values {
			_, err := load(t, map[string]string{name: v})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v", name, v, err)
			}
		}
	}
	for _, args := range [][]string{{"--no-such-flag"}, {"stray"}, {"--env-file", "missing"}} {
		if _, err := load(t, nil, args...); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestGoodValues(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := load(t, map[string]string{
		"WORKER_CPU": "2.5", "WORKER_MEMORY": "2g", "WORKER_STORAGE": "1500", "WORKER_GPU": "0",
		"WORKER_LABELS": "zone=a, disk = ssd", "ADVERTISE_ADDR": "10.0.0.1:6000", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
		"TLS": "off", "WORKER_ADDR": "127.0.0.1:0", "EXECUTOR": "fake",
	}, "--stop-tasks")
	if err != nil {
		t.Fatal(err)
	}
	if *c.Capacity.CPU != 2.5 || *c.Capacity.Memory != 2048 || *c.Capacity.Storage != 1500 || *c.Capacity.GPU != 0 {
		t.Errorf("capacity %+v", c.Capacity)
	}
	if !reflect.DeepEqual(c.Labels, map[string]string{"zone": "a", "disk": "ssd"}) {
		t.Errorf("labels %v", c.Labels)
	}
	if !c.StopTasks || c.TLS || c.Log.Level != slog.LevelDebug || !c.Log.JSON {
		t.Errorf("%+v", c)
	}
}

func TestHelpAndVersion(t *testing.T) {
	var out strings.Builder
	if _, err := Load([]string{"--help"}, os.Getenv, &out); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, s := range settings {
		if !strings.Contains(out.String(), "--"+s.flag()) || !strings.Contains(out.String(), s.name) {
			t.Errorf("the help leaves %s out", s.name)
		}
	}
	if _, err := load(t, nil, "--version"); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

// TestExampleListsAll keeps worker/.env.example complete.
func TestExampleListsAll(t *testing.T) {
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !strings.Contains(string(text), "# "+s.name+"="+s.fallback+"\n") {
			t.Errorf("no line \"# %s=%s\"", s.name, s.fallback)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"512", "512m", "2g", "1.5GiB", "1t", "3 g", "", "b", "1e9", "-1", "NaN", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mib, err := ParseSize(s)
		if err == nil && (mib < 1 || mib<<20>>20 != mib) {
			t.Errorf("ParseSize(%q) = %d", s, mib)
		}
	})
}

func FuzzParseLabels(f *testing.F) {
	for _, s := range []string{"", "a=b", "a=b,c=d", "a==", "=", ",", "a=1,a=2", "\x00=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		labels, err := ParseLabels(s)
		for k := range labels {
			if err == nil && k == "" {
				t.Errorf("ParseLabels(%q): empty key", s)
			}
		}
	})
}
