package agent_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// A file that does not fit into the user's quota is left out before a byte of it
// is taken; those that fit are kept, also when they come after it.
func TestWhatFitsIntoTheQuotaIsKept(t *testing.T) {
	m := newMaster(t)
	refused := 0
	m.onChunk = func(c *pb.FileChunk) error {
		if c.GetSize() != 50 {
			t.Errorf("%s has %d bytes, it says", c.GetFilePath(), c.GetSize())
		}
		if c.GetFilePath() == "out-00002.txt" {
			refused++
			return transport.Errorf(codes.ResourceExhausted, transport.ReasonQuota, "90 bytes of 190")
		}
		return nil
	}
	room := int64(100) // for two of the three that are left
	m.room = &room
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_OUTPUT_FILES": "5", "FAKE_OUTPUT_BYTES": "250"}))
	r := m.awaitResult(t, "t1")
	if r.GetFailure() != "upload" || !strings.Contains(r.GetMessage(), "90 bytes of 190") {
		t.Errorf("failure %q: %s", r.GetFailure(), r.GetMessage())
	}
	var kept, skipped []string
	for _, f := range r.GetOutputFiles() {
		kept = append(kept, f.GetPath())
	}
	for _, s := range r.GetSkipped() {
		skipped = append(skipped, s.GetPath()+" "+s.GetReason())
	}
	if got := fmt.Sprint(kept, skipped); refused != 1 ||
		got != "[out-00001.txt out-00003.txt out-00004.txt] [out-00002.txt 90 bytes of 190 out-00005.txt 90 bytes of 190]" {
		t.Errorf("refused %d times; kept, skipped: %s", refused, got)
	}
	w.awaitGone(m, "t1")
}
