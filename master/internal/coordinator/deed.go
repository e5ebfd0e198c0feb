package coordinator

import (
	"context"

	"cloudai/master/internal/cluster"
)

// sign has the audit entry of the call stored with this write, so that there is no
// moment in which it is not known who did it. about and owner are the entry's. A
// call of many writes signs its last one: its entry says how many they were.
func (w *write) sign(ctx context.Context, about cluster.TaskID, owner cluster.UserID) {
	d := cluster.DeedOf(ctx)
	if d == nil {
		return
	}
	entry := d.Entry(about, owner)
	w.deed, w.Audit = d, &entry
}

// signed takes the store's answer to the write. Of one of unknown outcome the
// caller is not told that it was done, and somebody notes that.
func (w *write) signed(err error) {
	if w.deed != nil && err == nil {
		w.deed.Stored = true
	}
}
