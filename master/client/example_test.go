package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/http"
	"cloudai/master/internal/http/fakecore"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

// stage is a master for the examples, on which a task does what its example
// wants.
type stage struct {
	core   *fakecore.Core
	keeper *logs.Keeper
	socket string
	end    func()
}

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newStage() *stage {
	dir := sure(os.MkdirTemp("", "s")) // short enough for a socket
	s := &stage{core: fakecore.New(), keeper: sure(logs.New(logs.Config{Dir: filepath.Join(dir, "logs")}))}
	files := sure(storage.New(storage.Config{Dir: filepath.Join(dir, "files")}))
	edge := sure(http.New(http.Config{Core: s.core, Logs: s.keeper, Files: files}))
	ctx, stop := context.WithCancel(context.Background())
	socket := sure(http.ListenSocket(ctx, dir))
	s.socket = socket.Path
	ended := make(chan error)
	go func() { ended <- edge.Run(ctx, socket, nil) }()
	s.end = func() {
		stop()
		if err := errors.Join(<-ended, files.Close(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
	return s
}

// runs lets the task print a line and end.
func (s *stage) runs(id string) {
	ref := cluster.AttemptRef{TaskID: cluster.TaskID(id), Attempt: 1}
	line := cluster.LogChunk{Stream: cluster.StreamStdout, Time: time.Now(), Data: []byte("hi\n")}
	code := 0
	err := errors.Join(s.core.Run(ref.TaskID, "w1"), s.keeper.Append(ref, []cluster.LogChunk{line}))
	sure(s.keeper.Finish(context.Background(), ref, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 3}}))
	if err := errors.Join(err, s.core.Finish(ref.TaskID, &code, "", "")); err != nil {
		panic(err)
	}
}

// A task is submitted, followed to its end and asked what came of it.
func Example() {
	master := newStage()
	defer master.end()
	ctx := context.Background()

	// Elsewhere: client.Options{Server: "https://master.example.org", Token: token}.
	c, err := client.New(client.Options{Socket: master.socket})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	task, err := c.Submit(ctx, client.TaskRequest{DockerImage: "alpine:3.20", Args: []string{"echo", "hi"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	master.runs(task.TaskID)
	for record, err := range c.FollowLogs(ctx, task.TaskID) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.Stream, record.Text)
	}
	task, err = c.WaitTask(ctx, task.TaskID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(task.Status, *task.ExitCode)
	// Output:
	// stdout hi
	// succeeded 0
}

// The pages of a list are fetched as they are needed.
func ExampleClient_Tasks() {
	master := newStage()
	defer master.end()
	ctx := context.Background()
	c := sure(client.New(client.Options{Socket: master.socket}))
	defer c.Close()
	reply, err := c.SubmitBatch(ctx, client.BatchRequest{Tasks: []client.TaskRequest{
		{DockerImage: "alpine:3.20", Name: "first"}, {DockerImage: "alpine:3.20", Name: "second"}, {DockerImage: ""},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Accepted, "accepted,", reply.Items[2].Errors[0].Location, "is wrong with the third")
	for task, err := range c.Tasks(ctx, client.TaskQuery{Status: []string{"queued"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(task.Name)
	}
	stopped, err := c.CancelTasks(ctx, client.CancelRequest{Filter: &client.CancelFilter{Name: "first"}})
	fmt.Println(stopped.Cancelled, "cancelled", err)
	// Output:
	// 2 accepted, docker_image is wrong with the third
	// second
	// first
	// 1 cancelled <nil>
}

// A refusal has the status, and names each bad field.
func ExampleError() {
	master := newStage()
	defer master.end()
	c := sure(client.New(client.Options{Socket: master.socket}))
	defer c.Close()
	memory := int64(1)
	_, err := c.Submit(context.Background(), client.TaskRequest{DockerImage: "alpine:3.20", MemoryRequired: &memory, Timeout: "soon"})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status)
		for _, field := range refused.Fields {
			fmt.Println(field.Location)
		}
	}
	// Output:
	// 422
	// memory_required
	// timeout
}
