package agent_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
)

// follow reads a stream of the task's stdout into text, and returns the last
// chunk.
func (w *worker) follow(req *pb.TaskLogRequest, text *strings.Builder) (*pb.LogChunk, error) {
	w.t.Helper()
	stream, err := w.client.StreamTaskLogs(context.Background(), req)
	if err != nil {
		return nil, err
	}
	last := &pb.LogChunk{}
	for {
		c, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		if c.GetStream() == pb.LogChunk_STDOUT {
			text.Write(c.GetData())
		}
		last = c
	}
}

func TestLogsAreStreamedFromAnyOffset(t *testing.T) {
	m := newMaster(t)
	block := make(chan struct{})
	m.onResult = func(*pb.TaskResult) (*pb.Ack, error) {
		select {
		case <-block:
			return &pb.Ack{}, nil
		default:
			return nil, status.Error(codes.Unavailable, "wait")
		}
	}
	w := startWorker(t, m, t.TempDir(), "s1")
	w.assign(task("t1", map[string]string{"FAKE_SLEEP": "300ms", "FAKE_LOG_LINES": "30"}))
	req := &pb.TaskLogRequest{TaskId: "t1", Attempt: 1, Lease: "lease-t1", Session: "s1", Follow: true}
	var live strings.Builder
	last, err := w.follow(req, &live)
	if err != nil || !last.GetEnd() || last.GetStdoutLength() != int64(live.Len()) || last.GetStderrLength() == 0 {
		t.Fatalf("last %v, %d bytes, %v", last, live.Len(), err)
	}
	var rest strings.Builder
	req.StdoutOffset, req.Follow = 100, false
	if _, err := w.follow(req, &rest); err != nil || rest.String() != live.String()[100:] {
		t.Errorf("from 100 on: %q, %v", rest.String(), err)
	}
	req.StdoutOffset = -1
	if _, err := w.follow(req, &rest); status.Code(err) != codes.InvalidArgument {
		t.Errorf("negative offset: %v", err)
	}
	req.StdoutOffset, req.Lease = 0, "other"
	if _, err := w.follow(req, &rest); status.Code(err) != codes.NotFound {
		t.Errorf("another lease: %v", err)
	}
	close(block)
	w.awaitGone(m, "t1")
}
