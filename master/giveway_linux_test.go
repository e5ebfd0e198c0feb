package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// Every thread gives way, also one that is made later. In a process of its own,
// since nobody may take it back.
func TestGiveWay(t *testing.T) {
	const alone = "GIVE_WAY_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGiveWay$", "-test.count=1")
		cmd.Env = append(os.Environ(), alone+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	giveWay()
	done := make(chan struct{})
	for range 8 { // each keeps a thread to itself
		go func() {
			runtime.LockOSThread()
			<-done
		}()
	}
	defer close(done)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		// The kernel tells 20 less the niceness.
		if got, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && got > 10 {
			t.Errorf("thread %d of %d: niceness %d", id, len(threads), 20-got)
		}
	}
}
