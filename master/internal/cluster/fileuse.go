package cluster

import (
	"fmt"
	"strconv"
)

// FileUse is what one user's output files take, those that are being uploaded
// among them, and what they may take.
type FileUse struct {
	Used  int64 // bytes
	Quota int64 // bytes; 0: no bound
}

// Bounded reports whether there is a quota.
func (u FileUse) Bounded() bool { return u.Quota > 0 }

// Room is how many bytes a quota leaves.
func (u FileUse) Room() int64 { return max(u.Quota-u.Used, 0) }

// Full reports whether a quota is used up.
func (u FileUse) Full() bool { return u.Bounded() && u.Used >= u.Quota }

// String is for people.
func (u FileUse) String() string {
	if !u.Bounded() {
		return BytesInWords(u.Used)
	}
	return fmt.Sprintf("%s of a quota of %s", BytesInWords(u.Used), BytesInWords(u.Quota))
}

// BytesInWords is an amount of bytes in the largest unit that gives at least 1,
// and exact where the unit does not say it all.
func BytesInWords(n int64) string {
	const step = 1024
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	whole, unit := n, 0
	value := float64(n)
	for whole >= step && unit < len(units)-1 {
		whole, value, unit = whole/step, value/step, unit+1
	}
	if value == float64(whole) {
		return strconv.FormatInt(whole, 10) + " " + units[unit]
	}
	return fmt.Sprintf("%.1f %s (%d bytes)", value, units[unit], n)
}
