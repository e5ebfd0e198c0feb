package rig

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Resident is the memory of the process that is in the machine's now, and the
// most that was since its start or the last call of ForgetPeak, in bytes.
func (p *Process) Resident() (now, peak int64, err error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, 0, err
	}
	if now, err = kibibytes(status, "VmRSS:"); err == nil {
		peak, err = kibibytes(status, "VmHWM:")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", p.name, err)
	}
	return now, peak, err
}

// ForgetPeak makes the peak begin anew at what is resident now.
func (p *Process) ForgetPeak() error { return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

func (p *Process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}

// kibibytes is a line of /proc/PID/status in bytes.
func kibibytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if value, ok := strings.CutPrefix(string(line), name); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc says no %s", name)
}
