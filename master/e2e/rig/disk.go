package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Disk is a small file system of its own in memory, to be filled.
type Disk struct{ Dir string }

// NewDisk mounts a file system of so many MiB at a folder that it makes. It
// needs root, as NewHost does.
func NewDisk(ctx context.Context, dir string, size int) (*Disk, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	options := fmt.Sprintf("size=%dm,mode=0755,uid=%d,gid=%d", size, os.Getuid(), os.Getgid())
	if err := asRoot(ctx, "mount", "-t", "tmpfs", "-o", options, "cloudai-test", dir); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &Disk{Dir: dir}, nil
}

// ballast is the file that takes the room.
func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill takes all room but so many bytes.
func (d *Disk) Fill(leave int64) error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	zeros := make([]byte, 1<<20)
	for {
		free, err := d.Free()
		if err != nil || free <= leave {
			return err
		}
		_, err = f.Write(zeros[:min(free-leave, int64(len(zeros)))])
		if errors.Is(err, syscall.ENOSPC) {
			continue // somebody else has taken it
		}
		if err != nil {
			return err
		}
	}
}

// Free is the room that is left, in bytes.
func (d *Disk) Free() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.Dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // elsewhere it is of another type
}

// Empty gives the room back that Fill took.
func (d *Disk) Empty() error {
	if err := os.Remove(d.ballast()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// CopyTo keeps what is on the disk in a folder that is not there yet.
func (d *Disk) CopyTo(ctx context.Context, dir string) error {
	return asRoot(ctx, "cp", "-a", d.Dir, dir)
}

// Close takes the file system away with all that is on it.
func (d *Disk) Close(ctx context.Context) error {
	err := asRoot(ctx, "umount", "--lazy", d.Dir)
	return errors.Join(err, os.Remove(d.Dir))
}
