package agent

import (
	"fmt"
	"strings"
	"testing"

	"cloudai/proto/pb"
)

// The plan after a refusal: the refused file and what is larger than the room go,
// what fits stays.
func TestLeaveOut(t *testing.T) {
	u := uploading{room: 10, have: map[string]*pb.UploadedFile{"a": {Path: "a", Received: 5, Complete: true}}}
	for i, size := range []int64{5, 50, 8, 3, 2} {
		u.reply.Files = append(u.reply.Files, File{Path: string(rune('a' + i)), Size: size})
	}
	u.leaveOut("quota: no room", false)
	if got := fmt.Sprint(u.reply.Files); got != "[{a 5 0 } {c 8 0 } {e 2 0 }]" {
		t.Errorf("kept %s", got)
	}
	if got := fmt.Sprint(u.reply.Skipped); got != "[{b no room} {d no room}]" || u.reply.Refused != "no room" {
		t.Errorf("skipped %s, refused %q", got, u.reply.Refused)
	}
	u.leaveOut("quota: later", true)
	if len(u.reply.Files) != 1 || u.reply.Refused != "no room" {
		t.Errorf("kept %v, refused %q", u.reply.Files, u.reply.Refused)
	}
}

// A list of many skipped files fits into a message.
func TestRefusedListIsBounded(t *testing.T) {
	u := uploading{room: 0}
	for i := range 50_000 {
		u.reply.Files = append(u.reply.Files, File{Path: fmt.Sprintf("out-%05d", i), Size: 1})
	}
	u.leaveOut(strings.Repeat("x", 100), false)
	u.nameTheRest()
	last := u.reply.Skipped[len(u.reply.Skipped)-1]
	if len(u.reply.Files) != 0 || len(u.reply.Skipped) > 3000 || last.Path != "" || !strings.HasPrefix(last.Reason, "and 4") {
		t.Errorf("%d kept, %d skipped, the last %v", len(u.reply.Files), len(u.reply.Skipped), last)
	}
}
