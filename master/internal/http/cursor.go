package http

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
)

// place is where in a list a page ended: a creation time and an id, or either.
type place struct {
	at int64 // Unix nanoseconds, or a number
	id string
}

const (
	cursorHead  = 12   // bytes: checksum and number
	cursorLimit = 1024 // characters
)

// encodeCursor makes an opaque cursor of the list of that kind: base64url of
// the checksum over all else and the kind (4 bytes), the number (8), the id.
func encodeCursor(kind string, p place) string {
	b := make([]byte, cursorHead, cursorHead+len(p.id))
	binary.BigEndian.PutUint64(b[4:], uint64(p.at))
	b = append(b, p.id...)
	binary.BigEndian.PutUint32(b, cursorSum(kind, b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads a cursor; false when it is not one of this kind of list.
func decodeCursor(kind, text string) (place, bool) {
	if strings.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return place{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > cursorLimit || len(b) < cursorHead || binary.BigEndian.Uint32(b) != cursorSum(kind, b) {
		return place{}, false
	}
	return place{at: int64(binary.BigEndian.Uint64(b[4:])), id: string(b[cursorHead:])}, true
}

func cursorSum(kind string, b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte("cloudai "+kind)), crc32.IEEETable, b[4:])
}

// cursorOf is the core's cursor as the wire carries it; empty at the end. A name
// follows the id, behind a NUL, which no id has.
func cursorOf(kind string, c cluster.Cursor) string {
	if c.IsZero() {
		return ""
	}
	id := c.ID
	if c.Name != "" {
		id += "\x00" + c.Name
	}
	return encodeCursor(kind, place{at: c.CreatedAt.UnixNano(), id: id})
}

// cursor is the place in the core's terms.
func (p place) cursor() cluster.Cursor {
	if p.id == "" {
		return cluster.Cursor{}
	}
	id, name, _ := strings.Cut(p.id, "\x00")
	return cluster.Cursor{CreatedAt: time.Unix(0, p.at).UTC(), ID: id, Name: name}
}

// before reports whether what was created at that time under that id follows
// the place, in lists with the oldest first.
func (p place) before(at time.Time, id string) bool {
	return at.UnixNano() > p.at || at.UnixNano() == p.at && id > p.id
}
