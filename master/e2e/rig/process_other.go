//go:build !linux

package rig

import "syscall"

// dieWithUs has no counterpart here; a child outlives a killed test.
func dieWithUs() *syscall.SysProcAttr { return nil }
