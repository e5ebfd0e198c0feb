// Package config holds what a master can be told at its start. A flag goes
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
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/joho/godotenv"

	"cloudai/proto/netport"
	"cloudai/proto/transport"
)

// Config is a master's configuration.
type Config struct {
	GRPCAddr  string // host:port for workers
	HTTPAddr  string // host:port for people
	Advertise string // host or host:port that workers are told; empty: what they called
	DataDir   string
	FilesDir  string // empty: DataDir/files
	Mongo     Mongo
	Accounts  Accounts
	CORS      []string // origins
	Proxies   []netip.Prefix
	Scheduler string
	Heartbeat Heartbeat
	LogLimit  int64 // bytes per attempt
	FileQuota int64 // bytes of output files per user; 0: no bound
	Retention Retention
	Log       Log
	TLS       bool
	NoPrompt  bool
}

// Mongo is where a MongoDB store is.
type Mongo struct {
	URI      string // empty: the embedded store
	Database string
	Lease    time.Duration // after which another master may take over
}

// Accounts says how people sign in.
type Accounts struct {
	JWTSecret string // empty: made once and kept
	JWTTTL    time.Duration
	Open      bool // anyone may register
}

// Heartbeat says how workers prove life.
type Heartbeat struct {
	Interval time.Duration
	Timeout  time.Duration
}

// Retention says how long what is kept of finished tasks, and who did what; 0: for
// good.
type Retention struct {
	Tasks, Logs, Files time.Duration // since the task's end
	Audit              time.Duration
	Bytes              int64 // of logs and output files together
	DiskReserve        int64 // bytes of the disks that are left free; 0: a tenth, at most 256 MiB
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
	flags := flag.NewFlagSet("master", flag.ContinueOnError)
	noPrompt := flags.Bool("no-prompt", false, "do not open the prompt, even on a terminal")
	version := flags.Bool("version", false, "print the version and end")
	c, err := load(flags, args, getenv, func() { writeHelp(out, flags) })
	switch {
	case err != nil:
		return Config{}, err
	case *version:
		return Config{}, ErrVersion
	case flags.NArg() > 0:
		return Config{}, fmt.Errorf("unexpected argument %q; --help lists the flags", flags.Arg(0))
	}
	c.NoPrompt = *noPrompt
	return c, c.Validate()
}

// LoadCommand reads the configuration for a command beside serving, which has
// the given flags of its own and arguments, which it gives back. Help is for
// flag.ErrHelp.
func LoadCommand(flags *flag.FlagSet, args []string, getenv func(string) string, help func()) (Config, []string, error) {
	c, err := load(flags, args, getenv, help)
	return c, flags.Args(), err
}

// load reads flags, environment and file into a configuration.
func load(flags *flag.FlagSet, args []string, getenv func(string) string, help func()) (Config, error) {
	flags.SetOutput(io.Discard)
	given := make(map[string]*string, len(settings))
	for _, s := range settings {
		given[s.name] = flags.String(s.flag(), "", s.help)
	}
	envFile := flags.String("env-file", "", "read settings from this file instead of .env")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			help()
		}
		return Config{}, err
	}
	fromFile, err := readEnvFile(*envFile)
	if err != nil {
		return Config{}, err
	}
	set := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })

	var c Config
	for _, s := range settings {
		value := s.choose(set[s.flag()], *given[s.name], getenv, fromFile)
		if err := s.set(&c, value); err != nil {
			return Config{}, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if c.FilesDir == "" {
		c.FilesDir = filepath.Join(c.DataDir, "files")
	}
	return c, nil
}

// choose picks the setting's value. An empty variable counts as not set.
func (s setting) choose(flagged bool, flagValue string, getenv func(string) string, file map[string]string) string {
	if flagged {
		return flagValue
	}
	if v := getenv(s.name); v != "" {
		return v
	}
	if v := file[s.name]; v != "" {
		return v
	}
	return s.fallback
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

// Getenv looks names up in the environment, then in the files that exist; a
// file that cannot be read counts as absent. The one-shot commands find the
// master's data folder with it.
func Getenv(getenv func(string) string, files ...string) func(string) string {
	return func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		for _, file := range files {
			if values, err := readEnvFile(file); err == nil && values[name] != "" {
				return values[name]
			}
		}
		return ""
	}
}

const minSecret = 32 // bytes

// Validate checks what several settings say together.
func (c Config) Validate() error {
	if err := checkAddr(c.GRPCAddr); err != nil {
		return fmt.Errorf("GRPC_ADDR: %w", err)
	}
	if err := checkAddr(c.HTTPAddr); err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	if c.Advertise != "" {
		if _, _, err := netport.SplitAdvertised(c.Advertise); err != nil {
			return fmt.Errorf("ADVERTISE_ADDR: %q %w", c.Advertise, err)
		}
	}
	if c.DataDir == "" {
		return errors.New("MASTER_DATA_DIR: must not be empty")
	}
	if err := c.Mongo.validate(); err != nil {
		return err
	}
	if c.Heartbeat.Timeout < 2*c.Heartbeat.Interval {
		return fmt.Errorf("HEARTBEAT_TIMEOUT: %v must be at least twice HEARTBEAT_INTERVAL, which is %v", c.Heartbeat.Timeout, c.Heartbeat.Interval)
	}
	if n := len(c.Accounts.JWTSecret); n > 0 && n < minSecret {
		return fmt.Errorf("JWT_SECRET: has %d bytes, needs %d; leave it empty to have one made", n, minSecret)
	}
	if !c.TLS {
		if err := transport.CheckLoopback(c.GRPCAddr); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
	}
	return nil
}

// validate looks at what the server would refuse with less clear words. The URI
// itself is not repeated, since it may hold a password.
func (m Mongo) validate() error {
	if m.URI == "" {
		return nil
	}
	if !strings.HasPrefix(m.URI, "mongodb://") && !strings.HasPrefix(m.URI, "mongodb+srv://") {
		return errors.New("MONGODB_URI: must begin with mongodb:// or mongodb+srv://")
	}
	if m.Database == "" || len(m.Database) > 63 || strings.ContainsAny(m.Database, "/\\. \"$*<>:|?\x00") {
		return fmt.Errorf("MONGODB_DATABASE: %q cannot name a database", m.Database)
	}
	return nil
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is not a port", port)
	}
	return nil
}
