package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// setting is one thing that can be set, under one name everywhere.
type setting struct {
	name     string // of the variable; the flag's is derived
	fallback string
	help     string
	set      func(c *Config, value string, chosen bool) error
}

func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

// settings are all but the flags without a variable.
var settings = []setting{
	{"MASTER_ADDR", "localhost:50051", "the master's host:port", text(func(c *Config) *string { return &c.MasterAddr })},
	{"WORKER_ID", "", "this worker's name; made once and kept when empty", text(func(c *Config) *string { return &c.WorkerID })},
	{"WORKER_ADDR", "0.0.0.0:50052", "where to listen for the master; the next free port when not set", setListen},
	{"ADVERTISE_ADDR", "", "host or host:port that the master is to call", text(func(c *Config) *string { return &c.Listen.Advertise })},
	{"WORKER_DATA_DIR", "./data/worker", "folder of the worker's own files; one worker each", text(func(c *Config) *string { return &c.DataDir })},
	{"JOIN_TOKEN", "", "the join token itself", text(func(c *Config) *string { return &c.Join.Token })},
	{"JOIN_TOKEN_FILE", "./data/master/join-token", "the file with the join token", text(func(c *Config) *string { return &c.Join.TokenFile })},
	{"WORKER_LABELS", "", "labels for placement: key=value,key=value", setLabels},
	{"WORKER_CPU", "", "cores to give, instead of what is found", setCPU},
	{"WORKER_MEMORY", "", "memory to give: MiB, or with a unit as in 2g", size(func(c *Config) **int64 { return &c.Capacity.Memory })},
	{"WORKER_STORAGE", "", "storage to give: MiB, or with a unit as in 50g", size(func(c *Config) **int64 { return &c.Capacity.Storage })},
	{"WORKER_GPU", "", "GPUs to give", setGPU},
	{"DISK_RESERVE", "", "kept free on the disks; default 2% of the disk, at most 1g", size(func(c *Config) **int64 { return &c.DiskReserve })},
	{"EXECUTOR", "docker", "what runs the tasks: docker or fake", setExecutor},
	{"DOCKER_HOST", "", "the Docker engine's address", text(func(c *Config) *string { return &c.Engine.DockerHost })},
	{"DOCKER_CONFIG", "", "folder with the registries' credentials", text(func(c *Config) *string { return &c.Engine.DockerConfig })},
	{"RESTART_GRACE", "10m", "how long the tasks of a worker that announced its stop wait for it", setRestartGrace},
	{"TLS", "on", "on, or off when everything is on loopback", setTLS},
	{"LOG_LEVEL", "info", "debug, info, warn or error", setLogLevel},
	{"LOG_FORMAT", "text", "text or json", setLogFormat},
}

func writeHelp(out io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(out, "worker runs the tasks of a CloudAI master as containers on this host.\n\n"+
		"Each flag may also be set by the variable in capitals, in the environment or in .env.\n\n")
	for _, s := range settings {
		fmt.Fprintf(out, "  --%-18s %s", s.flag(), s.help)
		if s.fallback != "" {
			fmt.Fprintf(out, " (default %s)", s.fallback)
		}
		fmt.Fprintf(out, " [%s]\n", s.name)
	}
	for _, name := range []string{"env-file", "stop-tasks", "version"} {
		fmt.Fprintf(out, "  --%-18s %s\n", name, flags.Lookup(name).Usage)
	}
}

func text(field func(*Config) *string) func(*Config, string, bool) error {
	return func(c *Config, value string, _ bool) error {
		*field(c) = value
		return nil
	}
}

func size(field func(*Config) **int64) func(*Config, string, bool) error {
	return func(c *Config, value string, chosen bool) error {
		if !chosen {
			return nil
		}
		mib, err := ParseSize(value)
		if err != nil {
			return err
		}
		*field(c) = &mib
		return nil
	}
}

func setListen(c *Config, value string, chosen bool) error {
	c.Listen.Addr, c.Listen.Fixed = value, chosen
	return nil
}

func setLabels(c *Config, value string, _ bool) (err error) {
	c.Labels, err = ParseLabels(value)
	return err
}

func setCPU(c *Config, value string, chosen bool) error {
	if !chosen {
		return nil
	}
	cores, err := strconv.ParseFloat(value, 64)
	if err != nil || !(cores > 0) || math.IsInf(cores, 0) {
		return fmt.Errorf("%q is not a number of cores", value)
	}
	c.Capacity.CPU = &cores
	return nil
}

func setGPU(c *Config, value string, chosen bool) error {
	if !chosen {
		return nil
	}
	devices, err := strconv.Atoi(value)
	if err != nil || devices < 0 || devices > math.MaxInt32 {
		return fmt.Errorf("%q is not a number of devices", value)
	}
	c.Capacity.GPU = &devices
	return nil
}

func setExecutor(c *Config, value string, _ bool) error {
	if value != "docker" && value != "fake" {
		return fmt.Errorf("%q is neither docker nor fake", value)
	}
	c.Engine.Executor = value
	return nil
}

func setRestartGrace(c *Config, value string, _ bool) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration like 90s or 10m", value)
	}
	c.RestartGrace = d
	return nil
}

func setTLS(c *Config, value string, _ bool) error {
	if value != "on" && value != "off" {
		return fmt.Errorf("%q is neither on nor off", value)
	}
	c.TLS = value == "on"
	return nil
}

func setLogLevel(c *Config, value string, _ bool) error {
	if err := c.Log.Level.UnmarshalText([]byte(value)); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn and error", value)
	}
	return nil
}

func setLogFormat(c *Config, value string, _ bool) error {
	if value != "text" && value != "json" {
		return fmt.Errorf("%q is neither text nor json", value)
	}
	c.Log.JSON = value == "json"
	return nil
}

// maxMiB keeps sizes in bytes within an int64.
const maxMiB = math.MaxInt64 >> 20

// ParseSize reads a size and returns MiB: a plain number counts MiB, a unit of
// k, m, g or t (with or without "b" or "ib", in capitals or not) its powers of
// 1024. Sizes below one MiB and beyond what bytes can count are errors.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRightFunc(s, unicode.IsLetter)
	factor, err := unitMiB(strings.ToLower(s[len(digits):]))
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size like 512, 512m or 2g", s)
	}
	mib := n * factor
	switch {
	case !(mib >= 1):
		return 0, fmt.Errorf("%q is less than 1 MiB", s)
	case mib >= maxMiB:
		return 0, fmt.Errorf("%q is too large", s)
	}
	return int64(mib), nil
}

func unitMiB(unit string) (float64, error) {
	if unit != "" {
		unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
		if unit == "" {
			return 0, errors.New("the unit must be one of k, m, g, t")
		}
	}
	switch unit {
	case "", "m":
		return 1, nil
	case "k":
		return 1.0 / 1024, nil
	case "g":
		return 1 << 10, nil
	case "t":
		return 1 << 20, nil
	}
	return 0, errors.New("the unit must be one of k, m, g, t")
}

// ParseLabels reads key=value pairs with commas between. A key is given once
// and not empty; control characters are errors.
func ParseLabels(s string) (map[string]string, error) {
	labels := make(map[string]string)
	if strings.TrimSpace(s) == "" {
		return labels, nil
	}
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || key == "":
			return nil, fmt.Errorf("%q is not key=value", pair)
		case strings.ContainsFunc(key+value, unicode.IsControl) || !isUTF8(pair):
			return nil, fmt.Errorf("%q holds characters that labels must not have", pair)
		}
		if _, twice := labels[key]; twice {
			return nil, fmt.Errorf("%q is given twice", key)
		}
		labels[key] = value
	}
	return labels, nil
}

func isUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }
