package agent

import "syscall"

// changeTime is when a file's content or properties changed last.
func changeTime(stat *syscall.Stat_t) syscall.Timespec { return stat.Ctimespec }
