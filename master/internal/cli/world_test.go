package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/audit"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/http"
	"cloudai/master/internal/http/fakecore"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the real REST edge on a real socket in a data folder, with a fake
// core.
type world struct {
	dir      string
	url      string // of the edge's TCP door
	core     *fakecore.Core
	accounts *accounts.Accounts
	audit    *audit.Log
	keeper   *logs.Keeper
	files    *storage.Keeper
	stop     func()   // ends the edge
	random   []string // what differs each time, and what golden files have for it
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "c") // short enough for a socket
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	w := &world{dir: dir, core: fakecore.New(), random: []string{dir, "DIR"}}
	tick := time.Date(2026, 1, 2, 3, 9, 0, 0, time.UTC)
	store := storetest.NewMemory()
	w.audit = audit.New(audit.Config{
		Store: store, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Date(2026, 1, 2, 3, 8, 0, 0, time.UTC) },
	})
	w.accounts = accounts.New(accounts.Config{
		Store: store, Key: bytes.Repeat([]byte("k"), 32), Issuer: "c1", TTL: time.Hour, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time {
			tick = tick.Add(time.Millisecond)
			return tick
		},
	})
	must(t, w.accounts.Load(t.Context()))
	w.keeper, err = logs.New(logs.Config{Dir: filepath.Join(dir, "logs")})
	must(t, err)
	files, err := storage.New(storage.Config{Dir: filepath.Join(dir, "files")})
	must(t, err)
	t.Cleanup(func() { files.Close() })
	w.files = files
	w.serve(t)
	t.Cleanup(func() { w.stop() })
	return w
}

// serve starts the edge; w.stop ends it.
func (w *world) serve(t *testing.T) {
	t.Helper()
	edge, err := http.New(http.Config{
		Core: w.core, Accounts: w.accounts, Audit: w.audit, Logs: w.keeper, Files: w.files, Version: client.Version{Version: "1.2.3"},
		Join: client.Join{Token: "cloudai1.x", MasterAddr: "10.0.0.1:50051", Note: "the address is a guess\x1b[2J"},
	})
	must(t, err)
	socket, err := http.ListenSocket(t.Context(), w.dir)
	must(t, err)
	tcp, err := http.ListenTCP(t.Context(), "127.0.0.1:0")
	must(t, err)
	w.url = "http://" + tcp.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- edge.Run(ctx, socket, tcp) }()
	w.stop = func() {
		stop()
		must(t, <-ended)
	}
}

// spoken is what a command printed and how it ended.
type spoken struct {
	stdout, stderr string
	code           int
}

func (w *world) getenv(name string) string {
	return map[string]string{"MASTER_DATA_DIR": w.dir, "NO_COLOR": "1"}[name]
}

// cli runs a command as a process would, at a fixed time of day.
func (w *world) cli(t *testing.T, args ...string) spoken {
	t.Helper()
	return w.cliCtx(t.Context(), args...)
}

func (w *world) cliCtx(ctx context.Context, args ...string) spoken {
	var out, errs bytes.Buffer
	s := w.shell(&out, &errs)
	code := s.execute(ctx, args)
	return spoken{out.String(), errs.String(), code}
}

func (w *world) shell(out, errs *bytes.Buffer) *shell {
	s := newShell(Config{Version: "1.2.3", Getenv: w.getenv, Stdout: out, Stderr: errs})
	s.now = func() time.Time { return time.Date(2026, 1, 2, 3, 10, 0, 0, time.UTC) }
	s.zone = time.UTC
	return s
}

// onTerminal is the same with stdout and stderr on one terminal.
func (w *world) onTerminal(t *testing.T, color bool, args ...string) spoken {
	t.Helper()
	var out, errs bytes.Buffer
	s := w.shell(&out, &errs)
	s.out.tty, s.err.tty, s.out.color, s.err.color = true, true, color, color
	code := s.execute(t.Context(), args)
	return spoken{out.String(), errs.String(), code}
}

func (w *world) submit(t *testing.T, r cluster.TaskRequest) cluster.TaskID {
	t.Helper()
	if r.Image == "" {
		r.Image = "alpine"
	}
	v, err := w.core.Submit(t.Context(), cluster.Principal{UserID: "ann", Role: cluster.RoleUser}, r, coordinator.Once{})
	must(t, err)
	return v.ID
}

// log appends to an attempt's log; pieces are "o:..." for stdout and "e:..."
// for stderr, a second apart. It ends the log.
func (w *world) log(t *testing.T, id cluster.TaskID, attempt int, pieces ...string) {
	t.Helper()
	end := w.append(t, id, attempt, pieces...)
	need, err := w.keeper.Finish(t.Context(), cluster.AttemptRef{TaskID: id, Attempt: attempt}, cluster.LogEnd{Length: end})
	if err != nil || need != nil {
		t.Fatalf("need %v, err %v", need, err)
	}
}

func (w *world) append(t *testing.T, id cluster.TaskID, attempt int, pieces ...string) (end cluster.LogOffsets) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, p := range pieces {
		chunk := cluster.LogChunk{Stream: cluster.StreamStdout, Offset: end.Stdout, Time: at, Data: []byte(p[2:])}
		if p[0] == 'e' {
			chunk.Stream, chunk.Offset = cluster.StreamStderr, end.Stderr
			end.Stderr += int64(len(p) - 2)
		} else {
			end.Stdout += int64(len(p) - 2)
		}
		must(t, w.keeper.Append(cluster.AttemptRef{TaskID: id, Attempt: attempt}, []cluster.LogChunk{chunk}))
		at = at.Add(time.Second)
	}
	return end
}

// publish puts files where the master keeps them.
func (w *world) publish(t *testing.T, id cluster.TaskID, contents ...string) {
	t.Helper()
	var rows []cluster.File
	for i := 0; i < len(contents); i += 2 {
		name, content := contents[i], contents[i+1]
		path := filepath.Join(w.dir, "files", "ann", string(id), name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o644))
		sum := sha256.Sum256([]byte(content))
		rows = append(rows, cluster.File{Path: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), ContentType: "text/plain"})
	}
	must(t, w.core.Publish(id, rows...))
}

// ends gives a task a verdict after it ran.
func (w *world) ends(t *testing.T, id cluster.TaskID, code *int, failure cluster.Failure, message string) {
	t.Helper()
	must(t, w.core.Run(id, "w1"))
	must(t, w.core.Finish(id, code, failure, message))
}

// workers are one of each kind.
func (w *world) workers() {
	at := time.Date(2026, 1, 2, 3, 9, 58, 0, time.UTC)
	one, two := coordinator.WorkerView{}, coordinator.WorkerView{}
	one.ID, one.Address, one.Status = "w1", "127.0.0.1:50052", cluster.WorkerActive
	one.Labels = map[string]string{"zone": "a", "disk": "ssd"}
	one.Total = cluster.Resources{CPU: 4, Memory: 8192, Storage: 102400, GPU: 1}
	one.Allocated = cluster.Resources{CPU: 1.5, Memory: 512}
	one.RunningCount, one.RegisteredAt, one.LastHeartbeat = 3, at, at
	one.Version, one.Used = "1.2.3", &cluster.Sample{CPU: 1.25, Memory: 1000, Storage: 3000}
	two.ID, two.Address, two.Status, two.Message = "w2", "127.0.0.1:50053", cluster.WorkerLost, "no heartbeat since 03:04:05"
	two.RegisteredAt = at
	w.core.SetWorkers(two, one)
	var history []cluster.Sample
	for i := range 100 {
		used := cluster.Sample{Time: at.Add(time.Duration(i-99) * 5 * time.Second), CPU: float64(i) / 25, Memory: int64(i * i), Storage: 3000}
		history = append(history, used)
	}
	w.core.SetHistory("w1", history...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if string(want) != got {
		t.Errorf("%s differs (run the test with -update to renew it):\n%s", name, got)
	}
}

// shown is everything of a command for a golden file.
func (w *world) shown(s spoken) string {
	out := s.stdout
	if s.stderr != "" {
		out += "--- stderr\n" + s.stderr
	}
	if s.code != 0 {
		out += "--- exit code " + number(s.code) + "\n"
	}
	return strings.NewReplacer(w.random...).Replace(out)
}

// transcript is what people see of several commands, one after the other.
func (w *world) transcript(t *testing.T, lines ...string) string {
	t.Helper()
	var out strings.Builder
	for _, line := range lines {
		words, err := split(line)
		must(t, err)
		got := w.shown(w.cli(t, words...))
		out.WriteString(strings.NewReplacer(w.random...).Replace("> "+line) + "\n" + got + "\n")
	}
	return out.String()
}

// lines are for %q.
func (s spoken) lines() []string { return []string{s.stdout, s.stderr} }
