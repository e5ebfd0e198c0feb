package client

import (
	"os"
	"path/filepath"
	"strings"
)

// Where a master that keeps its data in a folder can be reached on the same
// machine.
const (
	SocketName     = "master.sock"      // the Unix socket in the data folder
	SocketPathName = "master.sock.path" // in its place: a file that holds the path of a socket elsewhere
)

// MaxSocketPath is the longest path that a Unix socket can have on every
// system, in bytes.
const MaxSocketPath = 103

// SocketIn gives the path of the socket of the master that keeps its data in
// dir. It does not look whether a master listens there.
func SocketIn(dir string) string {
	if elsewhere, err := os.ReadFile(filepath.Join(dir, SocketPathName)); err == nil {
		return strings.TrimSpace(string(elsewhere))
	}
	return filepath.Join(dir, SocketName)
}
