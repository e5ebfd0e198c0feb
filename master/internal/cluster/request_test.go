package cluster

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

func TestRequestDefaults(t *testing.T) {
	got, err := TaskRequest{Image: "alpine"}.Spec()
	if err != nil {
		t.Fatal(err)
	}
	want := Spec{
		Image:          "alpine",
		Resources:      Resources{CPU: 1, Memory: 512, Storage: 1024},
		GracePeriod:    10 * time.Second,
		Priority:       50,
		MaxReschedules: 3,
		Network:        "bridge",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRequestKeepsWhatWasAsked(t *testing.T) {
	r := TaskRequest{
		Image: "registry.example:5000/team/app@sha256:0123abcd", Args: []string{"sh", "-c", "echo 'hi\n'; exit 3", ""},
		Name: "naïve 🚀 שלום", CPU: ptr(0.01), Memory: ptr(int64(6)), Storage: ptr(int64(0)), GPU: ptr(2),
		Env: map[string]string{"A": "x=y\nz", "EMPTY": ""}, Workdir: "/srv", Timeout: "1h30m", GracePeriod: "0s",
		Priority: ptr(0), MaxRetries: ptr(2), MaxReschedules: ptr(0), Labels: map[string]string{"team": "blue"},
		Constraints: map[string]string{"zone": "a"}, TargetWorker: "w-1", Network: "none", ShmSize: ptr(int64(64)),
		Inputs: []InputFile{{Path: "data/in.txt", Content: []byte("x")}, {Path: "/etc/conf", Content: nil}},
	}
	got, err := r.Spec()
	if err != nil {
		t.Fatal(err)
	}
	want := Spec{
		Image: r.Image, Args: r.Args, Name: r.Name, Resources: Resources{CPU: 0.01, Memory: 6, Storage: 0, GPU: 2},
		Env: r.Env, Workdir: "/srv", Timeout: 90 * time.Minute, GracePeriod: 0, Priority: 0, MaxRetries: 2, MaxReschedules: 0,
		Labels: r.Labels, Constraints: r.Constraints, TargetWorker: "w-1", Network: "none", ShmSize: 64, Inputs: r.Inputs,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	r.Args[0], r.Env["A"] = "changed", "changed"
	if got.Args[0] != "sh" || got.Env["A"] != "x=y\nz" {
		t.Error("the spec shares memory with the request")
	}
}

func TestRequestRefusals(t *testing.T) {
	long := strings.Repeat("x", MaxArgument)
	tests := []struct {
		name     string
		edit     func(*TaskRequest)
		location string
	}{
		{"image absent", func(r *TaskRequest) { r.Image = "" }, "docker_image"},
		{"image space", func(r *TaskRequest) { r.Image = "alpine latest" }, "docker_image"},
		{"image newline", func(r *TaskRequest) { r.Image = "alpine\n" }, "docker_image"},
		{"image NUL", func(r *TaskRequest) { r.Image = "al\x00pine" }, "docker_image"},
		{"image emoji", func(r *TaskRequest) { r.Image = "🐳" }, "docker_image"},
		{"image flag", func(r *TaskRequest) { r.Image = "-alpine" }, "docker_image"},
		{"image long", func(r *TaskRequest) { r.Image = strings.Repeat("a", MaxImage+1) }, "docker_image"},
		{"command and args", func(r *TaskRequest) { r.Command, r.Args = "x", []string{"y"} }, "command"},
		{"command NUL", func(r *TaskRequest) { r.Command = "a\x00" }, "command"},
		{"command long", func(r *TaskRequest) { r.Command = long + "x" }, "command"},
		{"command not UTF-8", func(r *TaskRequest) { r.Command = "\xff" }, "command"},
		{"argument NUL", func(r *TaskRequest) { r.Args = []string{"a", "\x00"} }, "args[1]"},
		{"argument long", func(r *TaskRequest) { r.Args = []string{long + "x"} }, "args[0]"},
		{"name control", func(r *TaskRequest) { r.Name = "\x1b[2J" }, "name"},
		{"name C1 control", func(r *TaskRequest) { r.Name = "\u009b2J" }, "name"},
		{"name newline", func(r *TaskRequest) { r.Name = "a\nb" }, "name"},
		{"name override", func(r *TaskRequest) { r.Name = "a\u202eb" }, "name"},
		{"name long", func(r *TaskRequest) { r.Name = strings.Repeat("n", MaxName+1) }, "name"},
		{"cpu NaN", func(r *TaskRequest) { r.CPU = ptr(math.NaN()) }, "cpu_required"},
		{"cpu infinite", func(r *TaskRequest) { r.CPU = ptr(math.Inf(1)) }, "cpu_required"},
		{"cpu zero", func(r *TaskRequest) { r.CPU = ptr(0.0) }, "cpu_required"},
		{"cpu negative", func(r *TaskRequest) { r.CPU = ptr(-1.0) }, "cpu_required"},
		{"cpu small", func(r *TaskRequest) { r.CPU = ptr(0.009) }, "cpu_required"},
		{"cpu huge", func(r *TaskRequest) { r.CPU = ptr(1e308) }, "cpu_required"},
		{"memory small", func(r *TaskRequest) { r.Memory = ptr(int64(5)) }, "memory_required"},
		{"memory huge", func(r *TaskRequest) { r.Memory = ptr(int64(math.MaxInt64)) }, "memory_required"},
		{"storage negative", func(r *TaskRequest) { r.Storage = ptr(int64(-1)) }, "storage_required"},
		{"gpu negative", func(r *TaskRequest) { r.GPU = ptr(-1) }, "gpu_required"},
		{"env empty name", func(r *TaskRequest) { r.Env = map[string]string{"": "x"} }, "env."},
		{"env equals", func(r *TaskRequest) { r.Env = map[string]string{"A=B": "x"} }, "env.A=B"},
		{"env NUL name", func(r *TaskRequest) { r.Env = map[string]string{"A\x00": "x"} }, `env."A\x00"`},
		{"env NUL value", func(r *TaskRequest) { r.Env = map[string]string{"PATH": "\x00"} }, "env.PATH"},
		{"env long pair", func(r *TaskRequest) { r.Env = map[string]string{"A": long} }, "env.A"},
		{"workdir relative", func(r *TaskRequest) { r.Workdir = "srv" }, "workdir"},
		{"workdir escape", func(r *TaskRequest) { r.Workdir = "/a/../b" }, "workdir"},
		{"timeout word", func(r *TaskRequest) { r.Timeout = "soon" }, "timeout"},
		{"timeout bare number", func(r *TaskRequest) { r.Timeout = "5" }, "timeout"},
		{"timeout zero", func(r *TaskRequest) { r.Timeout = "0s" }, "timeout"},
		{"timeout negative", func(r *TaskRequest) { r.Timeout = "-5s" }, "timeout"},
		{"timeout huge", func(r *TaskRequest) { r.Timeout = "100000h" }, "timeout"},
		{"grace negative", func(r *TaskRequest) { r.GracePeriod = "-1s" }, "grace_period"},
		{"priority low", func(r *TaskRequest) { r.Priority = ptr(-1) }, "priority"},
		{"priority high", func(r *TaskRequest) { r.Priority = ptr(101) }, "priority"},
		{"retries negative", func(r *TaskRequest) { r.MaxRetries = ptr(-1) }, "max_retries"},
		{"reschedules huge", func(r *TaskRequest) { r.MaxReschedules = ptr(1 << 30) }, "max_reschedules"},
		{"label control", func(r *TaskRequest) { r.Labels = map[string]string{"a": "\x07"} }, "labels.a"},
		{"label empty name", func(r *TaskRequest) { r.Labels = map[string]string{"": "x"} }, "labels."},
		{"constraint control", func(r *TaskRequest) { r.Constraints = map[string]string{"zone\r": "x"} }, `constraints."zone\r"`},
		{"target control", func(r *TaskRequest) { r.TargetWorker = "w\n" }, "target_worker_id"},
		{"network", func(r *TaskRequest) { r.Network = "host" }, "network"},
		{"shm negative", func(r *TaskRequest) { r.ShmSize = ptr(int64(-1)) }, "shm_size"},
		{"input no path", func(r *TaskRequest) { r.Inputs = []InputFile{{Path: "a"}, {Path: "b"}, {}} }, "inputs[2].path"},
		{"input escape", func(r *TaskRequest) { r.Inputs = []InputFile{{Path: "../x"}} }, "inputs[0].path"},
		{"input folder", func(r *TaskRequest) { r.Inputs = []InputFile{{Path: "/"}} }, "inputs[0].path"},
		{"input twice", func(r *TaskRequest) { r.Inputs = []InputFile{{Path: "a"}, {Path: "a"}} }, "inputs[1].path"},
		{"inputs big", func(r *TaskRequest) {
			r.Inputs = []InputFile{{Path: "a", Content: make([]byte, MaxInputBytes)}, {Path: "b", Content: []byte("x")}}
		}, "inputs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := TaskRequest{Image: "alpine"}
			tt.edit(&r)
			_, err := r.Spec()
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want an *InvalidError", err)
			}
			if len(invalid.Fields) != 1 || invalid.Fields[0].Location != tt.location {
				t.Errorf("got %+v, want exactly %q", invalid.Fields, tt.location)
			}
		})
	}
}

func TestRequestNamesEveryFault(t *testing.T) {
	_, err := TaskRequest{
		CPU: ptr(-1.0), Memory: ptr(int64(1)), Timeout: "x", Network: "host",
		Env: map[string]string{"A": "\x00"}, Inputs: []InputFile{{}},
	}.Spec()
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, f := range invalid.Fields {
		got = append(got, f.Location)
	}
	slices.Sort(got)
	want := []string{"cpu_required", "docker_image", "env.A", "inputs[0].path", "memory_required", "network", "timeout"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRequestBoundsTheList(t *testing.T) {
	_, err := TaskRequest{Image: "alpine", Args: slices.Repeat([]string{"\x00"}, 5000)}.Spec()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Fields) != maxFaults {
		t.Errorf("got %d faults, want %d", len(invalid.Fields), maxFaults)
	}
}

func FuzzTaskRequest(f *testing.F) {
	f.Add("alpine", "", "echo", "n", 1.0, int64(512), int64(0), "A", "b", "5s", "1s", 50, "in.txt")
	f.Add("", "x", "\x00", "\x1b]0;t\a", math.Inf(-1), int64(-1), int64(math.MaxInt64), "=", "\xff", "-1s", "9e9h", -1, "../..")
	f.Fuzz(func(t *testing.T, image, command, arg, name string, cpu float64, memory, storage int64, key, value, timeout, grace string, number int, path string) {
		r := TaskRequest{
			Image: image, Command: command, Name: name, CPU: &cpu, Memory: &memory, Storage: &storage, GPU: &number,
			Env: map[string]string{key: value}, Labels: map[string]string{key: value}, Workdir: path,
			Timeout: timeout, GracePeriod: grace, Priority: &number, MaxRetries: &number, ShmSize: &memory,
			Inputs: []InputFile{{Path: path, Content: []byte(value)}},
		}
		if arg != "" {
			r.Args = []string{arg}
		}
		spec, err := r.Spec()
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || len(invalid.Fields) == 0 {
				t.Fatalf("refused without naming a field: %v", err)
			}
			for _, field := range invalid.Fields {
				if field.Message == "" || strings.ContainsFunc(field.Location, notInName) {
					t.Fatalf("bad entry %+v", field)
				}
			}
			return
		}
		res := spec.Resources
		within := res.CPU >= MinCPU && res.CPU <= MaxCPU && res.Memory >= MinMemory && res.Memory <= MaxMiB &&
			res.Storage >= 0 && res.Storage <= MaxMiB && res.GPU >= 0 && res.GPU <= MaxGPU &&
			spec.Timeout >= 0 && spec.Timeout <= MaxTimeout && spec.GracePeriod >= 0 && spec.GracePeriod <= MaxGracePeriod &&
			spec.Priority >= 0 && spec.Priority <= 100 && spec.Image != "" && len(spec.Args)*len(spec.Command) == 0
		if !within {
			t.Fatalf("out of bounds: %+v", spec)
		}
	})
}
