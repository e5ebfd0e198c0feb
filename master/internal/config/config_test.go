package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for n := 0; n < len(pairs); n += 2 {
			if pairs[n] == name {
				return pairs[n+1]
			}
		}
		return ""
	}
}

func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(nil, env(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.GRPCAddr != "0.0.0.0:50051" || c.HTTPAddr != "0.0.0.0:8080" || c.FilesDir != "data/master/files" ||
		c.Heartbeat.Timeout != 15*time.Second || c.LogLimit != 1<<30 || !c.TLS || !c.Accounts.Open || c.Log.JSON {
		t.Fatalf("%+v", c)
	}
}

func TestPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("GRPC_ADDR=127.0.0.1:1\nHTTP_ADDR=127.0.0.1:1\nLOG_LEVEL=debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"--grpc-addr", "127.0.0.1:3"}, env("GRPC_ADDR", "127.0.0.1:2", "HTTP_ADDR", "127.0.0.1:2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.GRPCAddr != "127.0.0.1:3" || c.HTTPAddr != "127.0.0.1:2" || c.Log.Level.String() != "DEBUG" {
		t.Fatalf("%+v", c)
	}
}

func TestBadValuesNameTheSetting(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--grpc-addr", "nowhere"}, "GRPC_ADDR"},
		{[]string{"--http-addr", "x:99999"}, "HTTP_ADDR"},
		{[]string{"--heartbeat-interval", "soon"}, "HEARTBEAT_INTERVAL"},
		{[]string{"--heartbeat-interval", "-5s"}, "HEARTBEAT_INTERVAL"},
		{[]string{"--heartbeat-timeout", "6s"}, "HEARTBEAT_TIMEOUT"},
		{[]string{"--log-limit", "1 parsec"}, "LOG_LIMIT"},
		{[]string{"--log-limit", "nan"}, "LOG_LIMIT"},
		{[]string{"--log-limit", "1e300g"}, "LOG_LIMIT"},
		{[]string{"--retention-tasks", "old"}, "RETENTION_TASKS"},
		{[]string{"--retention-tasks", "0"}, "RETENTION_TASKS"},
		{[]string{"--retention-logs", "-1d"}, "RETENTION_LOGS"},
		{[]string{"--retention-files", "1d-2h"}, "RETENTION_FILES"},
		{[]string{"--retention-bytes", "0"}, "RETENTION_BYTES"},
		{[]string{"--retention-audit", "never"}, "RETENTION_AUDIT"},
		{[]string{"--retention-audit", ""}, "RETENTION_AUDIT"},
		{[]string{"--disk-reserve", "lots"}, "DISK_RESERVE"},
		{[]string{"--files-quota", "much"}, "FILES_QUOTA"},
		{[]string{"--files-quota", "-1"}, "FILES_QUOTA"},
		{[]string{"--log-limit", ""}, "LOG_LIMIT"},
		{[]string{"--log-format", "xml"}, "LOG_FORMAT"},
		{[]string{"--log-level", "loud"}, "LOG_LEVEL"},
		{[]string{"--jwt-secret", "short"}, "JWT_SECRET"},
		{[]string{"--registration", "maybe"}, "REGISTRATION"},
		{[]string{"--cors-allowed-origins", "example.org"}, "CORS_ALLOWED_ORIGINS"},
		{[]string{"--trusted-proxies", "proxy.example.org"}, "TRUSTED_PROXIES"},
		{[]string{"--trusted-proxies", "10.0.0.1,"}, "TRUSTED_PROXIES"},
		{[]string{"--trusted-proxies", "10.0.0.0/33"}, "TRUSTED_PROXIES"},
		{[]string{"--trusted-proxies", "0.0.0.0/0"}, "TRUSTED_PROXIES"},
		{[]string{"--trusted-proxies", "::ffff:10.0.0.1"}, "TRUSTED_PROXIES"},
		{[]string{"--trusted-proxies", "fe80::1%eth0"}, "TRUSTED_PROXIES"},
		{[]string{"--tls", "off"}, "TLS"},
		{[]string{"--master-data-dir", ""}, "MASTER_DATA_DIR"},
		{[]string{"--mongodb-uri", "localhost:27017"}, "MONGODB_URI"},
		{[]string{"--mongodb-uri", "mongodb://localhost", "--mongodb-database", "a.b"}, "MONGODB_DATABASE"},
		{[]string{"--mongodb-lease", "1ms"}, "MONGODB_LEASE"},
		{[]string{"extra"}, "extra"},
		{[]string{"--env-file", filepath.Join("no", "such", "file")}, "--env-file"},
	} {
		if _, err := Load(c.args, env(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v does not name %s", c.args, err, c.want)
		}
	}
}

func TestGetenvReadsFilesLast(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("b.env", []byte("MASTER_DATA_DIR=/b\nLOG_LEVEL=debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	get := Getenv(env("LOG_LEVEL", "warn"), "absent.env", "b.env")
	if get("MASTER_DATA_DIR") != "/b" || get("LOG_LEVEL") != "warn" || get("HTTP_ADDR") != "" {
		t.Fatalf("%q %q %q", get("MASTER_DATA_DIR"), get("LOG_LEVEL"), get("HTTP_ADDR"))
	}
}

func TestTrustedProxies(t *testing.T) {
	c, err := Load([]string{"--trusted-proxies", "127.0.0.1, 10.1.2.3/16,fd00::/8"}, env(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Proxies); got != "[127.0.0.1/32 10.1.0.0/16 fd00::/8]" {
		t.Error(got)
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	var out strings.Builder
	if _, err := Load([]string{"--help"}, env(), &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !strings.Contains(out.String(), "["+s.name+"]") {
			t.Errorf("%s is not in the help", s.name)
		}
	}
}

// The example file lists all that can be set, commented out, with its default.
func TestEnvExampleIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if want := "\n# " + s.name + "=" + s.fallback + "\n"; !strings.Contains(string(text), want) {
			t.Errorf(".env.example lacks the line %q", strings.TrimSpace(want))
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"1g", "64k", "512MiB", "-1", "nan", "1e999", "0x10", "b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseBytes(s); err == nil && n < 64<<10 {
			t.Fatalf("%q gives %d", s, n)
		}
	})
}

func TestRetention(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load([]string{"--retention-tasks", "30d", "--retention-bytes", "2g"}, env("RETENTION_LOGS", "36h", "DISK_RESERVE", "512m"), nil)
	want := Retention{Tasks: 720 * time.Hour, Logs: 36 * time.Hour, Bytes: 2 << 30, Audit: 400 * 24 * time.Hour, DiskReserve: 512 << 20}
	if err != nil || c.Retention != want {
		t.Fatalf("%+v, %v, want %+v", c.Retention, err, want)
	}
	if c, err = Load(nil, env(), nil); err != nil || c.Retention != (Retention{Audit: 400 * 24 * time.Hour}) {
		t.Fatalf("by default something of tasks goes: %+v, %v", c.Retention, err)
	}
	for value, want := range map[string]time.Duration{"0": 0, "off": 0, "90d": 90 * 24 * time.Hour, "36h": 36 * time.Hour} {
		if c, err := Load(nil, env("RETENTION_AUDIT", value), nil); err != nil || c.Retention.Audit != want {
			t.Errorf("RETENTION_AUDIT=%s: %v, %v", value, c.Retention.Audit, err)
		}
	}
}

func TestFileQuota(t *testing.T) {
	t.Chdir(t.TempDir())
	for value, want := range map[string]int64{"": 0, "0": 0, "10g": 10 << 30, "1000000": 1_000_000} {
		if c, err := Load(nil, env("FILES_QUOTA", value), nil); err != nil || c.FileQuota != want {
			t.Errorf("%q: %d, %v", value, c.FileQuota, err)
		}
	}
}
