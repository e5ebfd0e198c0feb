package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cloudai/master/internal/cluster"
)

// setting is one thing that can be set, under one name everywhere.
type setting struct {
	name     string // of the variable; the flag's is derived
	fallback string
	help     string
	set      func(c *Config, value string) error
}

func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

// settings are all but the flags without a variable.
var settings = []setting{
	{"GRPC_ADDR", "0.0.0.0:50051", "where workers call", text(func(c *Config) *string { return &c.GRPCAddr })},
	{"HTTP_ADDR", "0.0.0.0:8080", "where people call", text(func(c *Config) *string { return &c.HTTPAddr })},
	{"ADVERTISE_ADDR", "", "host or host:port that workers are told", text(func(c *Config) *string { return &c.Advertise })},
	{"MASTER_DATA_DIR", "./data/master", "folder of the master's state", text(func(c *Config) *string { return &c.DataDir })},
	{"FILES_DIR", "", "folder of the tasks' output files; default MASTER_DATA_DIR/files", text(func(c *Config) *string { return &c.FilesDir })},
	{"MONGODB_URI", "", "a MongoDB to keep the state in; empty: the embedded store", text(func(c *Config) *string { return &c.Mongo.URI })},
	{"MONGODB_DATABASE", "cloudai", "the database in it", text(func(c *Config) *string { return &c.Mongo.Database })},
	{"MONGODB_LEASE", "15s", "a master silent in it for so long may be replaced by another", duration(time.Second, func(c *Config) *time.Duration { return &c.Mongo.Lease })},
	{"JWT_SECRET", "", "signs sign-ins, 32 bytes and more; empty: made once and kept", text(func(c *Config) *string { return &c.Accounts.JWTSecret })},
	{"JWT_TTL", "24h", "how long a sign-in lasts", duration(time.Minute, func(c *Config) *time.Duration { return &c.Accounts.JWTTTL })},
	{"REGISTRATION", "open", "open, or closed: admins add users", either("open", "closed", func(c *Config) *bool { return &c.Accounts.Open })},
	{"CORS_ALLOWED_ORIGINS", "http://localhost:3000", "origins that browsers may call from, by comma", setOrigins},
	{"TRUSTED_PROXIES", "", "networks of reverse proxies whose X-Forwarded-For and -Proto count, by comma", setProxies},
	{"SCHEDULER", "round-robin", "how workers are chosen", text(func(c *Config) *string { return &c.Scheduler })},
	{"HEARTBEAT_INTERVAL", "5s", "between a worker's signs of life", duration(10*time.Millisecond, func(c *Config) *time.Duration { return &c.Heartbeat.Interval })},
	{"HEARTBEAT_TIMEOUT", "15s", "a worker silent for so long is lost", duration(20*time.Millisecond, func(c *Config) *time.Duration { return &c.Heartbeat.Timeout })},
	{"LOG_LIMIT", "1g", "of one attempt's log; the rest but its end is dropped", setLogLimit},
	{"FILES_QUOTA", "", "of one user's output files, as 10g; empty or 0: no bound", setFileQuota},
	{"RETENTION_TASKS", "", "age at which finished tasks go, as 720h or 30d; empty: never", age(func(c *Config) *time.Duration { return &c.Retention.Tasks })},
	{"RETENTION_LOGS", "", "the same for their logs alone", age(func(c *Config) *time.Duration { return &c.Retention.Logs })},
	{"RETENTION_FILES", "", "the same for their output files alone", age(func(c *Config) *time.Duration { return &c.Retention.Files })},
	{"RETENTION_BYTES", "", "of logs and output files together; the oldest go", size(func(c *Config) *int64 { return &c.Retention.Bytes })},
	{"RETENTION_AUDIT", "400d", "age at which entries of the audit log go; 0 or off: never", setAuditAge},
	{"DISK_RESERVE", "", "kept free on the disks; default a tenth, at most 256m", size(func(c *Config) *int64 { return &c.Retention.DiskReserve })},
	{"LOG_LEVEL", "info", "debug, info, warn or error", setLogLevel},
	{"LOG_FORMAT", "text", "text or json", either("json", "text", func(c *Config) *bool { return &c.Log.JSON })},
	{"TLS", "on", "on, or off when everything is on loopback", either("on", "off", func(c *Config) *bool { return &c.TLS })},
}

func writeHelp(out io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(out, "master [serve] [flags]   keeps tasks and gives them to workers\n"+
		"master cli [command]     the prompt, or one command, against a running master\n"+
		"master openapi           prints the API's description\n"+
		"master backup FILE       writes a backup, also while a master runs\n"+
		"master restore FILE      puts one into an empty data folder\n"+
		"master fsck              looks through the data folder for damage\n"+
		"master migrate           moves the state to another store: --from URI --to URI\n\n"+
		"Each flag may also be set by the variable in capitals, in the environment or in .env.\n\n")
	for _, s := range settings {
		fmt.Fprintf(out, "  --%-20s %s", s.flag(), s.help)
		if s.fallback != "" {
			fmt.Fprintf(out, " (default %s)", s.fallback)
		}
		fmt.Fprintf(out, " [%s]\n", s.name)
	}
	for _, name := range []string{"env-file", "no-prompt", "version"} {
		fmt.Fprintf(out, "  --%-20s %s\n", name, flags.Lookup(name).Usage)
	}
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = value
		return nil
	}
}

func duration(least time.Duration, field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 90s or 10m", value)
		}
		if d < least {
			return fmt.Errorf("%v is too short, the least is %v", d, least)
		}
		*field(c) = d
		return nil
	}
}

func either(yes, no string, field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		if value != yes && value != no {
			return fmt.Errorf("%q is neither %s nor %s", value, yes, no)
		}
		*field(c) = value == yes
		return nil
	}
}

func setOrigins(c *Config, value string) error {
	for origin := range strings.SplitSeq(value, ",") {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return fmt.Errorf("%q is not an origin like https://example.org", origin)
		}
		c.CORS = append(c.CORS, origin)
	}
	return nil
}

// setProxies reads networks and single addresses. One that holds every address is
// refused: everybody could then pass for anybody.
func setProxies(c *Config, value string) error {
	if value == "" {
		return nil
	}
	for text := range strings.SplitSeq(value, ",") {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if a, bad := netip.ParseAddr(text); bad == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
			return fmt.Errorf("%q is neither a network like 10.1.0.0/16 nor an address", text)
		case p.Bits() == 0:
			return fmt.Errorf("%q holds every address; name those of the proxies", text)
		case p.Addr().Is4In6():
			return fmt.Errorf("%q is an IPv4 address; write it as one", text)
		}
		c.Proxies = append(c.Proxies, p.Masked())
	}
	return nil
}

func setLogLimit(c *Config, value string) (err error) {
	c.LogLimit, err = ParseBytes(value)
	return err
}

func setFileQuota(c *Config, value string) error {
	if value == "0" {
		return nil
	}
	return size(func(c *Config) *int64 { return &c.FileQuota })(c, value)
}

// size is an amount of bytes; empty leaves it 0.
func size(field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, value string) (err error) {
		if value == "" {
			return nil
		}
		*field(c), err = ParseBytes(value)
		return err
	}
}

// age is how old something finished may become; empty leaves it 0, for ever.
func age(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, value string) error {
		if value == "" {
			return nil
		}
		d, err := cluster.ParseAge(value)
		if err != nil {
			return fmt.Errorf("%q is not an age like 720h or 30d", value)
		}
		if d < time.Second {
			return fmt.Errorf("%v is too short, the least is 1s; leave it empty to keep everything", d)
		}
		*field(c) = d
		return nil
	}
}

// setAuditAge is as for other ages, but the default is not to keep all.
func setAuditAge(c *Config, value string) error {
	switch value {
	case "0", "off":
		return nil
	case "":
		return errors.New("is empty; 0 or off keeps all entries")
	}
	return age(func(c *Config) *time.Duration { return &c.Retention.Audit })(c, value)
}

func setLogLevel(c *Config, value string) error {
	if err := c.Log.Level.UnmarshalText([]byte(value)); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn and error", value)
	}
	return nil
}

// ParseBytes reads a size of at least 64 KiB and returns bytes: a plain number
// counts bytes, a unit of k, m, g or t (with or without "b" or "ib", in
// capitals or not) powers of 1024.
func ParseBytes(s string) (int64, error) {
	digits := strings.TrimRightFunc(s, unicode.IsLetter)
	unit := strings.ToLower(s[len(digits):])
	if len(unit) > 1 {
		unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	}
	factor, ok := map[string]float64{"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !ok {
		return 0, fmt.Errorf("%q is not a size like 512m or 1g", s)
	}
	bytes := n * factor
	switch {
	case !(bytes >= 64<<10):
		return 0, fmt.Errorf("%q is less than 64 KiB", s)
	case bytes >= math.MaxInt64:
		return 0, fmt.Errorf("%q is too large", s)
	}
	return int64(bytes), nil
}
