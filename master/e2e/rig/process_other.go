//go:build !linux

package rig

import (
	"errors"
	"syscall"
	"time"
)

// dieWithUs has no counterpart here; a child outlives a killed test.
func dieWithUs() *syscall.SysProcAttr { return nil }

// CPU is not known here.
func (p *Process) CPU() (time.Duration, error) {
	return 0, errors.New("processor times are read from Linux's /proc only")
}
