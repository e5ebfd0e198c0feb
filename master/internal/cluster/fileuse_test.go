package cluster

import "testing"

func TestFileUse(t *testing.T) {
	for _, c := range []struct {
		use  FileUse
		full bool
		room int64
		says string
	}{
		{FileUse{}, false, 0, "0 B"},
		{FileUse{Used: 1 << 40}, false, 0, "1 TiB"},
		{FileUse{Used: 1023, Quota: 1024}, false, 1, "1023 B of a quota of 1 KiB"},
		{FileUse{Used: 1024, Quota: 1024}, true, 0, "1 KiB of a quota of 1 KiB"},
		{FileUse{Used: 5 << 29, Quota: 1 << 30}, true, 0, "2.5 GiB (2684354560 bytes) of a quota of 1 GiB"},
	} {
		if c.use.Full() != c.full || c.use.Bounded() && c.use.Room() != c.room || c.use.String() != c.says {
			t.Errorf("%+v: full %v, room %d, %q", c.use, c.use.Full(), c.use.Room(), c.use)
		}
	}
}
