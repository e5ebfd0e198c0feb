// Package freeport finds addresses for the processes that tests start.
package freeport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
)

// The ports are below those that a system gives to whoever asks for any one, or
// calls somebody: one of these may be given again before the process listens that
// it is meant for, or while it is away.
const (
	lowest = 20_000
	ports  = 12_000
)

// asked is how often this process has asked for one.
var asked atomic.Int64

// Address is a loopback address that nobody listens on at the moment. A process
// gets another one each time, until it has had them all.
func Address() (string, error) {
	first := int64(os.Getpid()) * 31 // other processes begin elsewhere
	var taken error
	for range ports {
		port := lowest + (first+asked.Add(1))%ports
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		switch {
		case err == nil:
			return l.Addr().String(), l.Close()
		case !errors.Is(err, syscall.EADDRINUSE):
			return "", err
		}
		taken = err
	}
	return "", taken
}
