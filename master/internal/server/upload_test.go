package server

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/storage"
	"cloudai/proto/pb"
)

// send puts chunks of the attempt on one stream.
func send(t *testing.T, d *door, chunks ...*pb.FileChunk) (*pb.FileUploadAck, error) {
	t.Helper()
	stream, err := d.client.UploadTaskFiles(t.Context())
	if err != nil {
		return nil, err
	}
	for _, c := range chunks {
		if c.TaskId == "" {
			c.TaskId, c.Attempt, c.Lease = "t", 2, "l"
		}
		c.WorkerId, c.Session = "w", "s"
		if stream.Send(c) != nil {
			break // the answer says why
		}
	}
	return stream.CloseAndRecv()
}

func TestUpload(t *testing.T) {
	d := open(t, nil)
	d.disk.staged = []storage.StagedFile{{Path: "a", Received: 2, Complete: true}}
	ack, err := send(t, d,
		&pb.FileChunk{UserId: "ann", FilePath: "a", Data: []byte("xy"), Last: true, Mode: 0o755, Sha256: "00", Size: 2},
		&pb.FileChunk{UserId: "ann", Kind: pb.FileChunk_LOG, Log: &pb.LogChunk{Stream: pb.LogChunk_STDOUT, Data: []byte("z")}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if c := d.disk.chunks[0]; c.Path != "a" || string(c.Data) != "xy" || !c.Last || c.Mode != 0o755 || c.SHA256 != "00" || c.Size != 2 {
		t.Fatalf("%+v", c)
	}
	if len(d.disk.logs) != 1 || ack.GetStdoutOffset() != 11 || ack.GetStderrOffset() != 22 || len(ack.GetFiles()) != 1 || ack.GetMore() {
		t.Fatalf("%+v, %v", d.disk.logs, ack)
	}
	if ack.GetBounded() {
		t.Errorf("a quota of nobody: %v", ack)
	}
	d.disk.use = cluster.FileUse{Used: 7, Quota: 10}
	if ack, err = send(t, d, &pb.FileChunk{UserId: "ann", Kind: pb.FileChunk_QUERY}); err != nil || !ack.GetBounded() || ack.GetRoom() != 3 {
		t.Errorf("with a quota: %v, %v", ack, err)
	}
	if d.core.asked != 3 || d.core.caller.WorkerID != "w" || d.core.caller.Session != "s" {
		t.Fatalf("asked %d times for %+v", d.core.asked, d.core.caller)
	}
}

func TestUploadRefusals(t *testing.T) {
	file := func() *pb.FileChunk { return &pb.FileChunk{UserId: "ann", FilePath: "a"} }
	for _, c := range []struct {
		name   string
		set    func(*door)
		chunks []*pb.FileChunk
		code   codes.Code
		taken  int
	}{
		{"nothing", nil, nil, codes.OK, 0},
		{"another user's", nil, []*pb.FileChunk{{UserId: "bob", FilePath: "a"}}, codes.PermissionDenied, 0},
		{"two attempts in one stream", nil, []*pb.FileChunk{file(), {UserId: "ann", TaskId: "t", Attempt: 3, Lease: "l"}}, codes.InvalidArgument, 1},
		{"two leases in one stream", nil, []*pb.FileChunk{file(), {UserId: "ann", TaskId: "t", Attempt: 2, Lease: "m"}}, codes.InvalidArgument, 1},
		{"over meanwhile", func(d *door) { d.core.errAfter, d.core.err = 1, cluster.ErrStaleAttempt }, []*pb.FileChunk{file(), file()}, codes.FailedPrecondition, 1},
		{"recorded already", func(d *door) { d.core.recorded = true }, []*pb.FileChunk{file(), file()}, codes.OK, 0},
		{"no room", func(d *door) { d.disk.err = cluster.ErrQuota }, []*pb.FileChunk{file()}, codes.ResourceExhausted, 1},
		{"a hole", func(d *door) { d.disk.err = cluster.ErrConflict }, []*pb.FileChunk{file()}, codes.Aborted, 1},
		{"unknown kind", nil, []*pb.FileChunk{{UserId: "ann", Kind: 9}}, codes.InvalidArgument, 0},
		{"log without a stream", nil, []*pb.FileChunk{{UserId: "ann", Kind: pb.FileChunk_LOG}}, codes.InvalidArgument, 0},
	} {
		d := open(t, nil)
		if c.set != nil {
			c.set(d)
		}
		_, err := send(t, d, c.chunks...)
		wantCode(t, c.name, err, c.code)
		if len(d.disk.chunks) != c.taken {
			t.Errorf("%s: %d pieces taken, want %d", c.name, len(d.disk.chunks), c.taken)
		}
	}
}

// A long list comes in pages that fit into a message, each file once.
func TestUploadListsInPages(t *testing.T) {
	d := open(t, nil)
	for n := range 3000 {
		d.disk.staged = append(d.disk.staged, storage.StagedFile{Path: fmt.Sprintf("%06d%s", n, strings.Repeat("x", 1000))})
	}
	got, pages, after := 0, 0, ""
	for more := true; more; pages++ {
		ack, err := send(t, d, &pb.FileChunk{UserId: "ann", Kind: pb.FileChunk_QUERY, FilePath: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ack.GetFiles() {
			if f.GetPath() <= after {
				t.Fatalf("%q after %q", f.GetPath()[:6], after[:6])
			}
			after = f.GetPath()
			got++
		}
		more = ack.GetMore()
	}
	if got != 3000 || pages < 3 {
		t.Fatalf("%d files on %d pages", got, pages)
	}
}
