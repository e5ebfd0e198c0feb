package main

import (
	"os"
	"strconv"
	"syscall"
)

// giveWay lets every other process go first when there are too few processors.
// Linux keeps that for each thread, and a new one has it from the thread that
// made it: the second round gets those that were made during the first.
func giveWay() {
	const nice = 10
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return // a courtesy, without which all works the same
		}
		for _, t := range threads {
			if id, err := strconv.Atoi(t.Name()); err == nil {
				_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice) // it may have ended
			}
		}
	}
}
