// Package config holds what a worker can be told at its start. A flag goes
// before the environment, that before the .env file, and that before the
// default. The package decides nothing but whether a value can be meant.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"regexp"
	"time"

	"github.com/joho/godotenv"

	"cloudai/proto/netport"
	"cloudai/proto/transport"
)

// Config is a worker's configuration.
type Config struct {
	MasterAddr   string // host:port
	WorkerID     string // empty: made once and kept
	Listen       Listen
	DataDir      string
	Join         Join
	Labels       map[string]string
	Capacity     Capacity
	DiskReserve  *int64 // MiB kept free on each disk; nil: a share of it
	Engine       Engine
	RestartGrace time.Duration
	StopTasks    bool
	TLS          bool
	Log          Log
}

// Listen says where the master's calls arrive.
type Listen struct {
	Addr string // host:port
	// Fixed says that the port was asked for: no other will do.
	Fixed bool
	// Advertise is the host or host:port that the master is to call; empty:
	// the source address of the connection to it, and the listening port.
	Advertise string
}

// Join is where the join token comes from.
type Join struct {
	Token     string
	TokenFile string // used when Token is empty
}

// Capacity overrides what is found; nil: what is found counts.
type Capacity struct {
	CPU     *float64 // cores
	Memory  *int64   // MiB
	Storage *int64   // MiB
	GPU     *int     // devices
}

// Engine says what runs the containers.
type Engine struct {
	Executor     string // docker or fake
	DockerHost   string
	DockerConfig string // folder of the registries' credentials
}

// Log says how the log is written.
type Log struct {
	Level slog.Level
	JSON  bool
}

// ErrVersion says that only the version was asked for.
var ErrVersion = errors.New("version asked for")

// Load reads the configuration. It returns flag.ErrHelp after it has written
// the help to out, and ErrVersion. Other errors name the setting.
func Load(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	given := make(map[string]*string, len(settings))
	for _, s := range settings {
		given[s.name] = flags.String(s.flag(), "", s.help)
	}
	envFile := flags.String("env-file", "", "read settings from this file instead of .env")
	stopTasks := flags.Bool("stop-tasks", false, "stop the tasks together with the worker")
	version := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			writeHelp(out, flags)
		}
		return Config{}, err
	}
	if *version {
		return Config{}, ErrVersion
	}
	if flags.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q; --help lists the flags", flags.Arg(0))
	}
	fromFile, err := readEnvFile(*envFile)
	if err != nil {
		return Config{}, err
	}
	set := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })

	c := Config{StopTasks: *stopTasks}
	for _, s := range settings {
		value, chosen := choose(s, set[s.flag()], *given[s.name], getenv, fromFile)
		if err := s.set(&c, value, chosen); err != nil {
			return Config{}, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if c.Engine.DockerConfig == "" && getenv("HOME") != "" {
		c.Engine.DockerConfig = getenv("HOME") + "/.docker"
	}
	return c, c.Validate()
}

// choose picks the setting's value, and says whether a person has set it. An
// empty variable counts as not set.
func choose(s setting, flagged bool, flagValue string, getenv func(string) string, file map[string]string) (string, bool) {
	if flagged {
		return flagValue, true
	}
	if v := getenv(s.name); v != "" {
		return v, true
	}
	if v := file[s.name]; v != "" {
		return v, true
	}
	return s.fallback, false
}

// readEnvFile reads .env when it is there, or the file that was named.
func readEnvFile(name string) (map[string]string, error) {
	path := name
	if path == "" {
		path = ".env"
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && name == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	defer f.Close()
	values, err := godotenv.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

// Validate checks what several settings say together.
func (c Config) Validate() error {
	if err := checkAddr(c.MasterAddr); err != nil {
		return fmt.Errorf("MASTER_ADDR: %w", err)
	}
	if err := checkAddr(c.Listen.Addr); err != nil {
		return fmt.Errorf("WORKER_ADDR: %w", err)
	}
	if err := checkAdvertise(c.Listen.Advertise); err != nil {
		return fmt.Errorf("ADVERTISE_ADDR: %w", err)
	}
	if c.DataDir == "" {
		return errors.New("WORKER_DATA_DIR: must not be empty")
	}
	if c.WorkerID != "" && !workerID.MatchString(c.WorkerID) {
		return fmt.Errorf("WORKER_ID: %q: letters, digits, '.', '_' and '-', at most 64", c.WorkerID)
	}
	if !c.TLS {
		if err := transport.CheckLoopback(c.MasterAddr, c.Listen.Addr); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
	}
	if c.Join.Token != "" {
		if _, err := transport.ParseJoinToken(c.Join.Token); err != nil {
			return fmt.Errorf("JOIN_TOKEN: %w", err)
		}
	}
	return nil
}

var workerID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	return checkPort(port)
}

func checkPort(port string) error {
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is not a port", port)
	}
	return nil
}

// checkAdvertise takes a host with or without a port.
func checkAdvertise(addr string) error {
	if addr == "" {
		return nil
	}
	if _, _, err := netport.SplitAdvertised(addr); err != nil {
		return fmt.Errorf("%q %w", addr, err)
	}
	return nil
}
