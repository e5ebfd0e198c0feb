package main

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
)

// A signal that comes before workers are served is no failure.
func TestStoppedBeforeWorkersAreServed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		door, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := &master{grpc: grpc.NewServer(), workerDoor: door}
		if err := m.serveWorkers(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
