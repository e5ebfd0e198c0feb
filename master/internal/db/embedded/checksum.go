package embedded

import (
	"hash/crc32"
	"strconv"
)

// Each document and each file row carries a CRC-32C of itself and of its key,
// checked when it is read: a flipped bit on the disk, or a row in another's
// place, becomes an error instead of a wrong answer.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is over a document with its row's key; number is the version or the
// attempt.
func checksum(id string, number int64, doc []byte) int64 {
	head := append(make([]byte, 0, 64), id...)
	head = strconv.AppendInt(append(head, 0), number, 10)
	sum := crc32.Update(0, castagnoli, append(head, 0))
	return int64(crc32.Update(sum, castagnoli, doc))
}
