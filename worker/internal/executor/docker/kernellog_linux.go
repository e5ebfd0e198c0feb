package docker

import "syscall"

// The calls of syslog(2) that are needed, and as much of its log as is looked at.
const (
	syslogReadAll    = 3
	syslogBufferSize = 10
	kernelLogMost    = 4 << 20
)

// kernelLog is the latest of the kernel's log; empty where this process may not
// read it: without root or CAP_SYSLOG when kernel.dmesg_restrict is set.
func kernelLog() string {
	size, err := syscall.Klogctl(syslogBufferSize, nil)
	if err != nil {
		return ""
	}
	// Each line is given with its time, which the size does not count.
	log := make([]byte, min(2*size, kernelLogMost))
	n, err := syscall.Klogctl(syslogReadAll, log)
	if err != nil {
		return ""
	}
	return string(log[:n])
}
