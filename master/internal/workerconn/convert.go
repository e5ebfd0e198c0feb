package workerconn

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
)

func taskToWire(order cluster.Order, to cluster.Target, clusterID string) *pb.Task {
	spec := order.Spec
	task := &pb.Task{
		TaskId:      string(order.Ref.TaskID),
		Attempt:     int32(order.Ref.Attempt),
		Lease:       order.Ref.Lease,
		Session:     to.Session,
		ClusterId:   clusterID,
		UserId:      string(order.UserID),
		TaskName:    spec.Name,
		DockerImage: spec.Image,
		Command:     spec.Command,
		Args:        spec.Args,
		ReqCpu:      spec.Resources.CPU,
		ReqMemory:   spec.Resources.Memory,
		ReqStorage:  spec.Resources.Storage,
		ReqGpu:      int32(spec.Resources.GPU),
		Env:         spec.Env,
		Workdir:     spec.Workdir,
		GracePeriod: durationpb.New(spec.GracePeriod),
		Network:     spec.Network,
		ShmSize:     spec.ShmSize,
		LogLimit:    order.LogLimit,
	}
	if spec.Timeout > 0 {
		task.Timeout = durationpb.New(spec.Timeout)
	}
	for _, input := range spec.Inputs {
		task.Inputs = append(task.Inputs, &pb.InputFile{Path: input.Path, Content: input.Content})
	}
	return task
}

func helloFromWire(ack *pb.RegisterAck) cluster.Hello {
	return cluster.Hello{WorkerID: cluster.WorkerID(ack.WorkerId), Session: ack.Session, Version: ack.Version}
}

func logRequestToWire(to cluster.Target, ref cluster.AttemptRef, from cluster.LogOffsets) *pb.TaskLogRequest {
	return &pb.TaskLogRequest{
		TaskId:       string(ref.TaskID),
		Attempt:      int32(ref.Attempt),
		Lease:        ref.Lease,
		Session:      to.Session,
		StdoutOffset: from.Stdout,
		StderrOffset: from.Stderr,
		Follow:       true,
	}
}

// logChunkFromWire refuses what no worker of ours sends. An absent time, or one
// beyond the years that JSON knows, is the zero time.
func logChunkFromWire(wire *pb.LogChunk) (cluster.LogChunk, error) {
	chunk := cluster.LogChunk{Offset: wire.Offset, Data: wire.Data, Dropped: wire.Dropped}
	switch wire.Stream {
	case pb.LogChunk_STDOUT:
		chunk.Stream = cluster.StreamStdout
	case pb.LogChunk_STDERR:
		chunk.Stream = cluster.StreamStderr
	case pb.LogChunk_STREAM_UNSPECIFIED:
		fallthrough
	default:
		return cluster.LogChunk{}, fmt.Errorf("%w: log chunk of stream %v", cluster.ErrInvalid, wire.Stream)
	}
	if wire.Offset < 0 || wire.Dropped < 0 || wire.Dropped > 0 && len(wire.Data) > 0 {
		return cluster.LogChunk{}, fmt.Errorf("%w: log chunk at %d with %d bytes and %d dropped",
			cluster.ErrInvalid, wire.Offset, len(wire.Data), wire.Dropped)
	}
	if wire.Time.IsValid() {
		chunk.Time = wire.Time.AsTime()
	}
	return chunk, nil
}
