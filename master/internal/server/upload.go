package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/storage"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// The list of files in an answer goes by pages.
const (
	pageFiles = 10_000
	pageBytes = 1 << 20 // of paths
)

// UploadTaskFiles takes chunks of one attempt's files and log. Each chunk is
// checked again, so that an attempt which is over meanwhile stops at once.
func (s *Server) UploadTaskFiles(stream grpc.ClientStreamingServer[pb.FileChunk, pb.FileUploadAck]) error {
	ctx := stream.Context()
	var ref cluster.AttemptRef
	var owner cluster.UserID
	after := "" // of the files to be listed
	for first := true; ; first = false {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if first {
				return stream.SendAndClose(&pb.FileUploadAck{})
			}
			ack, err := s.uploadAck(ctx, owner, ref, after)
			if err != nil {
				return s.failed(ctx, err)
			}
			return stream.SendAndClose(ack)
		}
		if err != nil {
			return err
		}
		of := cluster.AttemptRef{TaskID: cluster.TaskID(chunk.GetTaskId()), Attempt: int(chunk.GetAttempt()), Lease: chunk.GetLease()}
		if !first && of != ref {
			return transport.Errorf(codes.InvalidArgument, "task_id", "one stream carries one attempt")
		}
		ref = of
		var recorded bool
		owner, recorded, err = s.cfg.Core.AuthorizeUpload(ctx, caller(ctx, chunk.GetWorkerId(), chunk.GetSession()), ref)
		if err != nil {
			return s.failed(ctx, err)
		}
		if recorded {
			return stream.SendAndClose(&pb.FileUploadAck{})
		}
		if chunk.GetUserId() != string(owner) {
			return transport.Errorf(codes.PermissionDenied, "user_id", "the task belongs to another user")
		}
		if chunk.GetKind() == pb.FileChunk_QUERY {
			after = chunk.GetFilePath()
			continue
		}
		if err := s.take(owner, ref, chunk); err != nil {
			return s.failed(ctx, err)
		}
	}
}

func (s *Server) take(owner cluster.UserID, ref cluster.AttemptRef, chunk *pb.FileChunk) error {
	switch chunk.GetKind() {
	case pb.FileChunk_LOG:
		piece, err := logChunk(chunk.GetLog())
		if err != nil {
			return err
		}
		return s.cfg.Logs.Append(ref, []cluster.LogChunk{piece})
	case pb.FileChunk_FILE:
		return s.cfg.Files.WriteChunk(owner, ref, storage.Chunk{
			Path: chunk.GetFilePath(), Offset: chunk.GetOffset(), Data: chunk.GetData(),
			Last: chunk.GetLast(), Mode: chunk.GetMode(), SHA256: chunk.GetSha256(), Size: chunk.GetSize(),
		})
	case pb.FileChunk_QUERY:
	}
	return cluster.Invalid("kind", "must be FILE, LOG or QUERY")
}

// uploadAck says what is here of an attempt.
func (s *Server) uploadAck(ctx context.Context, owner cluster.UserID, ref cluster.AttemptRef, after string) (*pb.FileUploadAck, error) {
	staged, more, err := s.cfg.Files.Staged(ctx, ref, after, pageFiles)
	if err != nil {
		return nil, err
	}
	at := s.cfg.Logs.Offsets(ref)
	use := s.cfg.Files.Use(owner)
	ack := &pb.FileUploadAck{
		StdoutOffset: at.Stdout, StderrOffset: at.Stderr, More: more, Bounded: use.Bounded(), Room: use.Room(),
	}
	size := 0
	for _, f := range staged {
		if size += len(f.Path); size > pageBytes && len(ack.Files) > 0 {
			ack.More = true
			break
		}
		ack.Files = append(ack.Files, &pb.UploadedFile{Path: f.Path, Received: f.Received, Complete: f.Complete})
	}
	return ack, nil
}
