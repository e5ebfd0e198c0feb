package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	nethttp "net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/http"
	"cloudai/master/internal/http/fakecore"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// master is the real REST edge on a real socket, with a fake core.
type master struct {
	core     *fakecore.Core
	keeper   *logs.Keeper
	filesDir string
	socket   string
	client   *client.Client
}

func start(t *testing.T) *master {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // short enough for a socket
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	m := &master{core: fakecore.New(), filesDir: filepath.Join(dir, "files")}
	m.keeper, err = logs.New(logs.Config{Dir: filepath.Join(dir, "logs")})
	must(t, err)
	files, err := storage.New(storage.Config{Dir: m.filesDir})
	must(t, err)
	t.Cleanup(func() { files.Close() })
	edge, err := http.New(http.Config{Core: m.core, Logs: m.keeper, Files: files, Version: client.Version{Version: "1.2.3"}})
	must(t, err)
	socket, err := http.ListenSocket(t.Context(), dir)
	must(t, err)
	m.socket = socket.Path
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- edge.Run(ctx, socket, nil) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	m.client = connect(t, client.Options{Socket: m.socket, Patience: 10 * time.Second})
	return m
}

func connect(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *master) submit(t *testing.T) (client.Task, cluster.TaskID) {
	t.Helper()
	task, err := m.client.Submit(t.Context(), client.TaskRequest{DockerImage: "alpine", Name: "n", Labels: map[string]string{"a": "b"}})
	must(t, err)
	return task, cluster.TaskID(task.TaskID)
}

func (m *master) appendLog(t *testing.T, id cluster.TaskID, attempt int, stream cluster.Stream, offset int64, text string) {
	t.Helper()
	must(t, m.keeper.Append(cluster.AttemptRef{TaskID: id, Attempt: attempt},
		[]cluster.LogChunk{{Stream: stream, Offset: offset, Time: time.Now(), Data: []byte(text)}}))
}

func (m *master) seal(t *testing.T, id cluster.TaskID, attempt int, stdout int64) {
	t.Helper()
	need, err := m.keeper.Finish(t.Context(), cluster.AttemptRef{TaskID: id, Attempt: attempt}, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: stdout}})
	if err != nil || need != nil {
		t.Fatalf("need %v, err %v", need, err)
	}
}

func TestTasks(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	first, id := m.submit(t)
	second, _ := m.submit(t)
	if got, err := m.client.Task(ctx, first.TaskID); err != nil || got.Name != "n" || got.Waiting == nil {
		t.Errorf("%+v %v", got, err)
	}
	var ids []string
	for task, err := range m.client.Tasks(ctx, client.TaskQuery{Status: []string{"queued"}, Labels: map[string]string{"a": "b"}, Until: time.Now().AddDate(10, 0, 0)}) {
		must(t, err)
		ids = append(ids, task.TaskID)
	}
	if !slices.Equal(ids, []string{second.TaskID, first.TaskID}) {
		t.Errorf("listed %v", ids)
	}
	if got, err := m.client.TaskIDs(ctx, "task", 1); err != nil || !slices.Equal(got, ids[1:]) {
		t.Errorf("ids %v %v", got, err)
	}
	must(t, m.core.Run(id, "w1"))
	if got, err := m.client.Cancel(ctx, first.TaskID); err != nil || !got.CancelRequested {
		t.Errorf("%+v %v", got, err)
	}
	code := 143
	go func() { must(t, m.core.Finish(id, &code, cluster.FailureExit, "")) }()
	if got, err := m.client.WaitTask(ctx, first.TaskID); err != nil || got.Status != "cancelled" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := m.client.Cancel(ctx, first.TaskID); !client.IsConflict(err) {
		t.Errorf("a second cancel: %v", err)
	}
	n := 0
	for event, err := range m.client.Events(ctx, first.TaskID) {
		must(t, err)
		n++
		if event.Seq != n {
			t.Errorf("%+v", event)
		}
	}
	if n != 11 {
		t.Errorf("%d events", n)
	}
}

func TestWaitAttempt(t *testing.T) {
	m := start(t)
	task, id := m.submit(t)
	must(t, m.core.Run(id, "w1"))
	go func() { must(t, m.core.Requeue(id)) }()
	if got, err := m.client.WaitAttempt(t.Context(), task.TaskID, 1); err != nil || got.Attempt != 2 || got.Terminal() {
		t.Errorf("%+v %v", got, err)
	}
	must(t, m.core.Run(id, "w2"))
	code := 0
	must(t, m.core.Finish(id, &code, "", ""))
	if got, err := m.client.WaitAttempt(t.Context(), task.TaskID, 2); err != nil || got.Status != "succeeded" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	m := start(t)
	_, err := m.client.Submit(t.Context(), client.TaskRequest{Timeout: "x", Env: map[string]string{"A": "\x00"}})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != 422 || len(refused.Fields) != 3 {
		t.Errorf("%+v", err)
	}
	if _, err := m.client.Task(t.Context(), "../cluster"); !client.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	task, _ := m.submit(t)
	if _, err := m.client.As("ann").Task(t.Context(), task.TaskID); !client.IsNotFound(err) {
		t.Errorf("another's task: %v", err)
	}
	nobody := connect(t, client.Options{Socket: m.socket + "x"})
	var unreachable *client.UnreachableError
	if _, err := nobody.Version(t.Context()); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), m.socket+"x") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.client.Version(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for _, o := range []client.Options{{}, {Server: "localhost:8080"}, {Server: "ftp://x"}, {Server: "http://x", Socket: "y"}, {Server: "http://x", User: "ann"}} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestClusterCalls(t *testing.T) {
	m := start(t)
	m.submit(t)
	if c, err := m.client.Cluster(t.Context()); err != nil || c.QueueLength != 1 || c.Tasks["queued"] != 1 {
		t.Errorf("%+v %v", c, err)
	}
	if v, err := m.client.Version(t.Context()); err != nil || v.Version != "1.2.3" {
		t.Errorf("%+v %v", v, err)
	}
	for w, err := range m.client.Workers(t.Context()) {
		t.Errorf("there is no worker: %+v %v", w, err)
	}
	if w, err := m.client.Telemetry(t.Context()); err != nil || len(w) != 0 {
		t.Errorf("%v %v", w, err)
	}
	if _, err := m.client.Worker(t.Context(), "w1"); !client.IsNotFound(err) {
		t.Error(err)
	}
	_, err := m.client.Health(t.Context())
	must(t, errors.Join(err, m.client.Ready(t.Context())))
}

func collect(t *testing.T, seq func(func(client.LogRecord, error) bool)) string {
	t.Helper()
	var out strings.Builder
	for r, err := range seq {
		must(t, err)
		data, err := r.Bytes()
		must(t, err)
		out.Write(data)
	}
	return out.String()
}

func TestLogs(t *testing.T) {
	m := start(t)
	task, id := m.submit(t)
	must(t, m.core.Run(id, "w1"))
	m.appendLog(t, id, 1, cluster.StreamStdout, 0, "one\ntwo\n\xffthree")
	m.seal(t, id, 1, 14)
	tail := 1
	for o, want := range map[client.LogOptions]string{
		{}:                             "one\ntwo\n\xffthree",
		{Offset: 4, Attempt: 1}:        "two\n\xffthree",
		{Tail: &tail}:                  "\xffthree",
		{Text: "TW", Stream: "stdout"}: "two\n",
		{Follow: true}:                 "one\ntwo\n\xffthree",
	} {
		if got := collect(t, m.client.Logs(t.Context(), task.TaskID, o)); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	for _, err := range m.client.Logs(t.Context(), task.TaskID, client.LogOptions{Attempt: 7}) {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Fields[0].Location != "attempt" {
			t.Error(err)
		}
	}
	for _, err := range m.client.Logs(t.Context(), task.TaskID, client.LogOptions{Follow: true}) {
		must(t, err)
		break // must let go of the connection
	}
}

// cutting is a proxy in front of the socket that cuts each connection after a
// number of bytes of the response.
func cutting(t *testing.T, socket string, after int64) (url string, cuts *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	cuts = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				must(t, in.Close())
				continue
			}
			go relay(out, in, -1)
			if relay(in, out, after) {
				cuts.Add(1)
			}
		}
	}()
	t.Cleanup(func() {
		must(t, l.Close())
		<-done
	})
	return "http://" + l.Addr().String(), cuts
}

// relay copies until the end or the limit, then closes both; it reports
// whether it has cut.
func relay(to, from net.Conn, limit int64) (cut bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64)
	for limit != 0 {
		n, err := from.Read(buf)
		if limit > 0 {
			n = int(min(int64(n), limit))
			limit -= int64(n)
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return false
		}
	}
	return true
}

// Every byte of a followed log arrives once, however often the connection
// breaks.
func TestFollowSurvivesBrokenConnections(t *testing.T) {
	m := start(t)
	task, id := m.submit(t)
	must(t, m.core.Run(id, "w1"))
	url, cuts := cutting(t, m.socket, 2500)
	// The proxy speaks to the socket, so the edge sees the local admin.
	c := connect(t, client.Options{Server: url, Patience: 10 * time.Second})
	var want strings.Builder
	for n := range 200 {
		fmt.Fprintf(&want, "line %d\n", n)
	}
	m.appendLog(t, id, 1, cluster.StreamStdout, 0, want.String())
	m.seal(t, id, 1, int64(want.Len()))
	if got := collect(t, c.Logs(t.Context(), task.TaskID, client.LogOptions{Follow: true})); got != want.String() {
		t.Errorf("got %d bytes, want %d", len(got), want.Len())
	}
	if cuts.Load() < 3 {
		t.Errorf("only %d cuts", cuts.Load())
	}
	nethttp.DefaultClient.CloseIdleConnections()
}

func TestPatienceEnds(t *testing.T) {
	c := connect(t, client.Options{Socket: "/nonexistent/sock", Patience: time.Nanosecond})
	var unreachable *client.UnreachableError
	if _, err := c.WaitTask(t.Context(), "x"); !errors.As(err, &unreachable) {
		t.Errorf("%v", err)
	}
	for _, err := range c.Logs(t.Context(), "x", client.LogOptions{Follow: true}) {
		if !errors.As(err, &unreachable) {
			t.Errorf("%v", err)
		}
	}
}
