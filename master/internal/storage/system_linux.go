package storage

import (
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncFS flushes the file system that f is on. Errors of writing back are
// reported since Linux 5.8.
func syncFS(f *os.File) (bool, error) {
	return true, unix.Syncfs(int(f.Fd()))
}

// Room is what an ordinary user may still write below dir, and the size of the
// disk that it is on, both in bytes.
func Room(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := uint64(s.Bsize) //nolint:gosec // positive
	return bytesOf(s.Bavail, size), bytesOf(s.Blocks, size), nil
}

// bytesOf is what so many blocks hold. File systems without an end of their own
// name more of them than a number of bytes can say.
func bytesOf(blocks, size uint64) int64 {
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size) //nolint:gosec // looked at above
}
