package rig

import "syscall"

// dieWithUs makes a child end when this process does, however it ends.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
