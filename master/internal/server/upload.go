package server

import (
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/storage"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// UploadTaskFiles takes chunks of one attempt's files and log. Each chunk is
// checked again, so that an attempt which is over meanwhile stops at once.
func (s *Server) UploadTaskFiles(stream grpc.ClientStreamingServer[pb.FileChunk, pb.FileUploadAck]) error {
	var ref cluster.AttemptRef
	for first := true; ; first = false {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return s.uploadAck(stream, ref)
		}
		if err != nil {
			return err
		}
		of := cluster.AttemptRef{TaskID: cluster.TaskID(chunk.GetTaskId()), Attempt: int(chunk.GetAttempt()), Lease: chunk.GetLease()}
		if !first && of != ref {
			return transport.Errorf(codes.InvalidArgument, "task_id", "one stream carries one attempt")
		}
		ref = of
		owner, recorded, err := s.cfg.Core.AuthorizeUpload(stream.Context(), caller(stream.Context(), chunk.GetWorkerId(), chunk.GetSession()), ref)
		if err != nil {
			return statusOf(err)
		}
		if recorded {
			return stream.SendAndClose(&pb.FileUploadAck{})
		}
		if chunk.GetUserId() != string(owner) {
			return transport.Errorf(codes.PermissionDenied, "user_id", "the task belongs to another user")
		}
		if err := s.take(ref, chunk); err != nil {
			return statusOf(err)
		}
	}
}

func (s *Server) take(ref cluster.AttemptRef, chunk *pb.FileChunk) error {
	switch chunk.GetKind() {
	case pb.FileChunk_QUERY:
		return nil
	case pb.FileChunk_LOG:
		piece, err := logChunk(chunk.GetLog())
		if err != nil {
			return err
		}
		return s.cfg.Logs.Append(ref, []cluster.LogChunk{piece})
	case pb.FileChunk_FILE:
		return s.cfg.Files.WriteChunk(ref, storage.Chunk{
			Path: chunk.GetFilePath(), Offset: chunk.GetOffset(), Data: chunk.GetData(), Last: chunk.GetLast(), Mode: chunk.GetMode(),
		})
	}
	return cluster.Invalid("kind", "must be FILE, LOG or QUERY")
}

func (s *Server) uploadAck(stream grpc.ClientStreamingServer[pb.FileChunk, pb.FileUploadAck], ref cluster.AttemptRef) error {
	ack := &pb.FileUploadAck{}
	if ref.TaskID != "" {
		staged, err := s.cfg.Files.Staged(stream.Context(), ref)
		if err != nil {
			return statusOf(err)
		}
		for _, f := range staged {
			ack.Files = append(ack.Files, &pb.UploadedFile{Path: f.Path, Received: f.Received, Complete: f.Complete})
		}
		at := s.cfg.Logs.Offsets(ref)
		ack.StdoutOffset, ack.StderrOffset = at.Stdout, at.Stderr
	}
	return stream.SendAndClose(ack)
}
