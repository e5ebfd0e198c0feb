package main

import (
	"fmt"
	"log/slog"

	"cloudai/master/client"
	"cloudai/master/internal/config"
	"cloudai/master/internal/storage"
)

// disk is one of those that the master writes to.
type disk struct {
	holds   string // state or files
	dir     string
	reserve int64 // bytes; 0: the default
}

func disksOf(cfg config.Config) []disk {
	return []disk{
		{holds: "state", dir: cfg.DataDir, reserve: cfg.Retention.DiskReserve},
		{holds: "files", dir: cfg.FilesDir, reserve: cfg.Retention.DiskReserve},
	}
}

func (d disk) look() (client.Disk, error) {
	free, total, err := storage.Room(d.dir)
	reserve := d.reserve
	if reserve == 0 {
		reserve = storage.DefaultReserve(total)
	}
	return client.Disk{Holds: d.holds, Free: free, Total: total, Reserve: reserve, Low: free < reserve}, err
}

// room is an error while too little is left.
func (d disk) room() error {
	now, err := d.look()
	if err == nil && now.Low {
		err = fmt.Errorf("%d MiB of the disk of %s are free, %d MiB are reserved", now.Free>>20, d.dir, now.Reserve>>20)
	}
	return err
}

// lookAt gives how the disks are; one that cannot be asked is left out.
func lookAt(disks []disk, log *slog.Logger) func() []client.Disk {
	return func() (out []client.Disk) {
		for _, d := range disks {
			now, err := d.look()
			if err != nil {
				log.Warn("a disk cannot be asked how much is free", "dir", d.dir, "error", err)
				continue
			}
			out = append(out, now)
		}
		return out
	}
}
