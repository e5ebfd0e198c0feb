//go:build !linux

package rig

import (
	"errors"
	"syscall"
	"time"
)

// dieWithUs has no counterpart here; a child outlives a killed test.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// CPU is not known here.
func (p *Process) CPU() (time.Duration, error) {
	return 0, errors.New("processor times are read from Linux's /proc only")
}

// Resident is not known here.
func (p *Process) Resident() (now, peak int64, err error) {
	return 0, 0, errors.New("resident memory is read from Linux's /proc only")
}

// ForgetPeak has nothing to forget here.
func (p *Process) ForgetPeak() error {
	return errors.New("resident memory is read from Linux's /proc only")
}
