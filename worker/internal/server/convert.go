package server

import (
	"time"

	"cloudai/proto/pb"
	"cloudai/worker/internal/executor"
)

// defaultGrace is what a task has between TERM and KILL when it says nothing.
const defaultGrace = 10 * time.Second

func specFromPB(in *pb.Task) executor.Spec {
	spec := executor.Spec{
		Key: executor.Key{
			ClusterID: in.GetClusterId(),
			TaskID:    in.GetTaskId(),
			Attempt:   int(in.GetAttempt()),
			Lease:     in.GetLease(),
		},
		Image:    in.GetDockerImage(),
		Command:  in.GetCommand(),
		Args:     in.GetArgs(),
		Env:      in.GetEnv(),
		Workdir:  in.GetWorkdir(),
		UserID:   in.GetUserId(),
		CPU:      in.GetReqCpu(),
		Memory:   in.GetReqMemory(),
		Storage:  in.GetReqStorage(),
		GPU:      int(in.GetReqGpu()),
		ShmSize:  in.GetShmSize(),
		Network:  in.GetNetwork(),
		Timeout:  in.GetTimeout().AsDuration(),
		Grace:    defaultGrace,
		LogLimit: in.GetLogLimit(),
	}
	if in.GetGracePeriod() != nil {
		spec.Grace = in.GetGracePeriod().AsDuration()
	}
	for _, f := range in.GetInputs() {
		spec.Inputs = append(spec.Inputs, executor.Input{Path: f.GetPath(), Content: f.GetContent()})
	}
	return spec
}

func offsetsFromPB(in *pb.TaskLogRequest) executor.Offsets {
	return executor.Offsets{Stdout: in.GetStdoutOffset(), Stderr: in.GetStderrOffset()}
}
