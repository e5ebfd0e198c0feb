package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		status, failure string
		code            *int
		want            int
	}{
		{"succeeded", "", ptr(0), 0},
		{"cancelled", "", nil, 130},
		{"cancelled", "", ptr(0), 130},
		{"failed", "exit", ptr(7), 7},
		{"failed", "exit", ptr(127), 127},
		{"failed", "exit", ptr(255), 255},
		{"failed", "exit", ptr(4294967295), 1},
		{"failed", "oom", ptr(137), 137},
		{"failed", "oom", nil, 137},
		{"failed", "timeout", ptr(137), 124},
		{"failed", "timeout", nil, 124},
		{"failed", "image", nil, 125},
		{"failed", "registry", nil, 125},
		{"failed", "runtime", nil, 125},
		{"failed", "runtime", ptr(127), 127},
		{"failed", "worker_lost", nil, 125},
		{"failed", "storage", ptr(137), 137},
		{"failed", "storage", nil, 1},
		{"failed", "upload", ptr(0), 1},
	} {
		task := client.Task{Status: tt.status, Failure: tt.failure, ExitCode: tt.code}
		if got := exitCodeOf(task); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

// start runs a command that stays, and gives what it says in the end.
func (w *world) start(ctx context.Context, args ...string) <-chan spoken {
	done := make(chan spoken, 1)
	go func() { done <- w.cliCtx(ctx, args...) }()
	return done
}

// submitted waits until so many tasks are there.
func (w *world) submitted(t *testing.T, n int) {
	t.Helper()
	must(t, w.core.Await(t.Context(), func(v []coordinator.TaskView) bool { return len(v) >= n }))
}

func TestWait(t *testing.T) {
	w := newWorld(t)
	for i, tt := range []struct {
		code    *int
		failure cluster.Failure
		want    int
	}{
		{ptr(0), "", 0},
		{ptr(9), cluster.FailureExit, 9},
		{nil, cluster.FailureTimeout, 124},
		{nil, cluster.FailureImage, 125},
	} {
		done := w.start(t.Context(), "task", "alpine", "--wait")
		w.submitted(t, i+1)
		id := cluster.TaskID("task000" + number(i+1))
		w.ends(t, id, tt.code, tt.failure, "")
		if got := <-done; got.code != tt.want || got.stdout != string(id)+"\n" || !strings.Contains(got.stderr, string(id)) {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
	done := w.start(t.Context(), "task", "alpine", "--wait", "--quiet", "-o", "json")
	w.submitted(t, 5)
	w.ends(t, "task0005", ptr(3), cluster.FailureExit, "")
	if got := <-done; got.code != 3 || !strings.Contains(got.stdout, `"exit_code": 3`) || got.stderr != "" {
		t.Errorf("%+v", got)
	}
}

// The log goes where the task wrote it, and nothing else to stdout; the logs
// of several attempts come one after the other.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	done := w.start(t.Context(), "task", "alpine", "--follow")
	w.submitted(t, 1)
	must(t, w.core.Run("task0001", "w1"))
	w.log(t, "task0001", 1, "o:first\n", "e:oops\n")
	must(t, w.core.Requeue("task0001"))
	w.log(t, "task0001", 2, "o:second, without an end")
	w.ends(t, "task0001", ptr(3), cluster.FailureExit, "exited with code 3")
	got := <-done
	if got.code != 3 || got.stdout != "first\nsecond, without an end" || !strings.Contains(got.stderr, "oops\n") ||
		!strings.Contains(got.stderr, "task task0001\n") || !strings.Contains(got.stderr, "task task0001 failed") {
		t.Errorf("%+v", got)
	}
	done = w.start(t.Context(), "task", "alpine", "--follow", "--quiet")
	w.submitted(t, 2)
	must(t, w.core.Run("task0002", "w1"))
	w.log(t, "task0002", 1, "o:\xff\x1b[2J\r\n")
	must(t, w.core.Finish("task0002", ptr(0), "", ""))
	if got := <-done; got != (spoken{stdout: "\xff\x1b[2J\r\n"}) {
		t.Errorf("the bytes of the task: %+v", got)
	}
	if got := w.cli(t, "task", "alpine", "--follow", "-o", "json"); got.code != 2 || len(w.core.Submits()) != 2 {
		t.Errorf("%+v", got)
	}
}

// Ctrl-C leaves the command and says that the task runs on.
func TestDetach(t *testing.T) {
	w := newWorld(t)
	for i, args := range [][]string{
		{"task", "alpine", "--follow"},
		{"task", "alpine", "--wait"},
		{"task", "alpine", "--wait", "--quiet"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := w.start(ctx, args...)
		w.submitted(t, i+1)
		cancel()
		got := <-done
		// When it is cut while the submit's answer is on its way, there is no id yet.
		if got.code != 130 || got.stdout+got.stderr != "" && !strings.Contains(got.stderr, "runs on") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	id := w.submit(t, cluster.TaskRequest{})
	must(t, w.core.Run(id, "w1"))
	for _, args := range [][]string{{"logs", "-f", string(id)}, {"monitor", string(id)}} {
		ctx, cancel := context.WithCancel(t.Context())
		out := newTape(nil)
		s := newShell(Config{Getenv: w.getenv, Stdout: out, Stderr: out})
		done := make(chan int, 1)
		w.append(t, id, 1, "o:alive\n")
		go func() { done <- s.execute(ctx, args) }()
		out.await(t, "alive")
		cancel()
		if code := <-done; code != 130 {
			t.Errorf("%v: %d", args, code)
		}
		out.await(t, "runs on")
	}
	task, err := w.core.Task(t.Context(), cluster.Principal{Role: cluster.RoleAdmin}, id)
	if err != nil || task.CancelRequested {
		t.Errorf("it was not left alone: %+v %v", task, err)
	}
}

func TestMonitor(t *testing.T) {
	w := newWorld(t)
	id := w.submit(t, cluster.TaskRequest{Name: "n"})
	out := newTape(nil)
	s := newShell(Config{Getenv: w.getenv, Stdout: out, Stderr: out})
	done := make(chan int, 1)
	go func() { done <- s.execute(t.Context(), []string{"monitor", string(id)}) }()
	out.await(t, "waits: no worker is registered; start a worker")
	must(t, w.core.Run(id, "w1"))
	out.await(t, "running on w1")
	w.log(t, id, 1, "o:hello\n")
	out.await(t, "hello")
	_, err := w.core.Cancel(t.Context(), cluster.Principal{UserID: "ann", Role: cluster.RoleUser}, id)
	must(t, err)
	out.await(t, "cancel requested")
	must(t, w.core.Finish(id, ptr(143), cluster.FailureExit, ""))
	if code := <-done; code != 130 {
		t.Errorf("%d", code)
	}
	out.await(t, "task task0001 cancelled")
}

// Who waits for a task outlasts a restart of the master.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	id := w.submit(t, cluster.TaskRequest{})
	must(t, w.core.Run(id, "w1"))
	w.append(t, id, 1, "o:before\n")
	out := newTape(nil)
	s := newShell(Config{Getenv: w.getenv, Stdout: out, Stderr: out})
	done := make(chan int, 1)
	go func() { done <- s.execute(t.Context(), []string{"monitor", string(id)}) }()
	out.await(t, "\nbefore\n")
	w.stop()
	out.await(t, "the master does not answer")
	w.serve(t)
	must(t, w.keeper.Append(cluster.AttemptRef{TaskID: id, Attempt: 1}, []cluster.LogChunk{
		{Stream: cluster.StreamStdout, Offset: int64(len("before\n")), Time: time.Now(), Data: []byte("after\n")},
	}))
	out.await(t, "after\n")
	need, err := w.keeper.Finish(t.Context(), cluster.AttemptRef{TaskID: id, Attempt: 1}, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 13}})
	if err != nil || need != nil {
		t.Fatalf("need %v, err %v", need, err)
	}
	must(t, w.core.Finish(id, ptr(0), "", ""))
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(out.text, "before"); n != 1 {
		t.Errorf("the line came %d times:\n%s", n, out.text)
	}
}
