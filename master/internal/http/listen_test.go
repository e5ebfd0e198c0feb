package http

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
)

// shortDir is a temporary folder whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func dialable(path string) bool {
	conn, err := net.Dial("unix", path)
	return err == nil && conn.Close() == nil
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestSocket(t *testing.T) {
	dir := filepath.Join(shortDir(t), "data")
	s, err := ListenSocket(t.Context(), dir)
	must(t, err)
	if s.Path != client.SocketIn(dir) || !dialable(s.Path) {
		t.Errorf("nobody answers at %s", s.Path)
	}
	info, err := os.Stat(s.Path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if folder, err := os.Stat(dir); err != nil || folder.Mode().Perm() != 0o700 {
		t.Errorf("folder %v %v", folder.Mode(), err)
	}
	if _, err := ListenSocket(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "another master") {
		t.Errorf("a second one: %v", err)
	}
	if !dialable(s.Path) {
		t.Error("the second one took the first one's place")
	}
	must(t, s.Close())
	if got := names(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestSocketReplacesStaleOne(t *testing.T) {
	dir := shortDir(t)
	s, err := ListenSocket(t.Context(), dir)
	must(t, err)
	must(t, s.UnixListener.Close()) // as a killed process: the file stays
	must(t, os.Mkdir(filepath.Join(dir, bornPrefix+"123"), 0o700))
	again, err := ListenSocket(t.Context(), dir)
	must(t, err)
	if !dialable(again.Path) {
		t.Error("nobody answers")
	}
	if got := names(t, dir); got != client.SocketName {
		t.Errorf("beside it: %s", got)
	}
	must(t, again.Close())
}

func TestSocketOfLongPath(t *testing.T) {
	temp, dir := shortDir(t), filepath.Join(shortDir(t), strings.Repeat("long", 25))
	t.Setenv("TMPDIR", temp)
	s, err := ListenSocket(t.Context(), dir)
	must(t, err)
	if s.Path != client.SocketIn(dir) || len(s.Path) > client.MaxSocketPath || !dialable(s.Path) {
		t.Errorf("path %q, client finds %q", s.Path, client.SocketIn(dir))
	}
	if home, err := os.Stat(filepath.Dir(s.Path)); err != nil || home.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v %v", home.Mode(), err)
	}
	if _, err := ListenSocket(t.Context(), dir); err == nil {
		t.Error("a second master may serve")
	}
	must(t, s.UnixListener.Close()) // killed
	again, err := ListenSocket(t.Context(), dir)
	must(t, err)
	if strings.Contains(names(t, temp), " ") {
		t.Errorf("the killed one's folder stays: %s", names(t, temp))
	}
	must(t, again.Close())
	if left := names(t, temp) + names(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// A pointer that somebody else wrote makes us remove nothing.
func TestSocketPointerIsNotTrusted(t *testing.T) {
	dir, other := shortDir(t), shortDir(t)
	victim := filepath.Join(other, client.SocketName)
	must(t, os.WriteFile(victim, nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, client.SocketPathName), []byte(victim), 0o600))
	s, err := ListenSocket(t.Context(), dir)
	must(t, err)
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
}

func TestTCPInUse(t *testing.T) {
	l, err := ListenTCP(t.Context(), "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, err = ListenTCP(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "HTTP_ADDR "+l.Addr().String()) || !strings.Contains(err.Error(), "--http-addr") {
		t.Errorf("%v", err)
	}
}

// Both doors lead to one handler tree; a stop ends waits at once and leaves
// nothing behind.
func TestRun(t *testing.T) {
	e := newEdge(t)
	dir := shortDir(t)
	socket, err := ListenSocket(t.Context(), dir)
	must(t, err)
	tcp, err := ListenTCP(t.Context(), "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, socket, tcp) }()

	inside, err := client.New(client.Options{Socket: client.SocketIn(dir), Patience: time.Millisecond})
	must(t, err)
	defer inside.Close()
	outside, err := client.New(client.Options{Server: "http://" + tcp.Addr().String(), User: ""})
	must(t, err)
	defer outside.Close()
	must(t, outside.Ready(t.Context()))
	if _, err := outside.Submit(t.Context(), client.TaskRequest{DockerImage: "alpine"}); err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("over TCP: %v", err)
	}
	task, err := inside.Submit(t.Context(), client.TaskRequest{DockerImage: "alpine"})
	must(t, err)

	waiting := make(chan error, 1)
	go func() {
		_, err := inside.WaitTask(t.Context(), task.TaskID)
		waiting <- err
	}()
	cancel()
	if err := <-waiting; err == nil {
		t.Error("the wait ended well")
	}
	must(t, <-ended)
	if dialable(client.SocketIn(dir)) || names(t, dir) != "" {
		t.Errorf("left behind: %s", names(t, dir))
	}
}
