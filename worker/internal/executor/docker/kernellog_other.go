//go:build !linux

package docker

// kernelLog is empty: containers run in a virtual machine with a kernel of its
// own there.
func kernelLog() string { return "" }
