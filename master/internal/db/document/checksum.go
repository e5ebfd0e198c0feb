package document

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Each document and each file row carries a CRC-32C of itself and of its key,
// checked when it is read: a flipped bit on the disk, or a row in another's
// place, becomes an error instead of a wrong answer.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is over a document with its row's key; number is the version or the
// attempt.
func Sum(id string, number int64, doc []byte) int64 {
	head := append(make([]byte, 0, 64), id...)
	head = strconv.AppendInt(append(head, 0), number, 10)
	sum := crc32.Update(0, castagnoli, append(head, 0))
	return int64(crc32.Update(sum, castagnoli, doc))
}

// FileSum is the checksum of one row of file metadata.
func FileSum(id string, attempt int, f cluster.File) int64 {
	fields := []string{f.Path, strconv.FormatInt(f.Size, 10), f.SHA256, f.ContentType}
	return Sum(id, int64(attempt), []byte(strings.Join(fields, "\x00")))
}

// KeySum is the checksum of one row of keys.
func KeySum(k *db.Key) int64 {
	stored := strconv.FormatInt(Nanos(k.StoredAt), 10)
	head := strings.Join([]string{string(k.Name.UserID), k.Name.Route, k.Name.Key, k.Print, string(k.TaskID), stored}, "\x00")
	return Sum(head, Nanos(k.ExpiresAt), k.Reply)
}

// Damaged names the row whose content is not what was written.
func Damaged(table, id, why string) error {
	return fmt.Errorf("%w: table %s, row %q: %s", db.ErrDamaged, table, id, why)
}
