package storage

import (
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
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
