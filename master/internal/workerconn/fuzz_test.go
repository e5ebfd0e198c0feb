package workerconn

import (
	"errors"
	"io"
	"math"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
)

// sent is a stream of one chunk.
type sent struct {
	grpc.ClientStream
	chunk *pb.LogChunk
}

func (s *sent) Recv() (*pb.LogChunk, error) {
	if s.chunk == nil {
		return nil, io.EOF
	}
	next := s.chunk
	s.chunk = nil
	return next, nil
}

// Whatever a worker sends as its log, it is a chunk that makes sense or refused
// as invalid.
func FuzzLogChunk(f *testing.F) {
	for _, chunk := range []*pb.LogChunk{
		{Stream: pb.LogChunk_STDOUT, Offset: 5, Data: []byte("a line\n")},
		{Stream: pb.LogChunk_STDERR, Dropped: 7},
		{Stream: 9, Offset: -1},
		{Stream: pb.LogChunk_STDOUT, Offset: math.MaxInt64, Data: []byte("x"), Dropped: 1},
		{End: true, StdoutLength: -1, StderrLength: math.MaxInt64},
	} {
		data, err := proto.Marshal(chunk)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var chunk pb.LogChunk
		if proto.Unmarshal(data, &chunk) != nil {
			t.Skip("not a message")
		}
		var taken []cluster.LogChunk
		end, refused, err := drain(&sent{chunk: &chunk}, func(chunks []cluster.LogChunk) error {
			taken = append(taken, chunks...)
			return nil
		})
		if err != nil || refused != nil && (!errors.Is(refused, cluster.ErrInvalid) || len(taken) > 0) {
			t.Fatalf("%v, %v, %d taken", err, refused, len(taken))
		}
		if end != nil && (end.Stdout < 0 || end.Stderr < 0) {
			t.Fatalf("a log ends at %+v", end)
		}
		for _, c := range taken {
			if c.Offset < 0 || c.Dropped < 0 || c.Dropped > 0 && len(c.Data) > 0 || c.Stream != cluster.StreamStdout && c.Stream != cluster.StreamStderr {
				t.Fatalf("%+v", c)
			}
			if _, err := c.Time.MarshalText(); err != nil {
				t.Fatalf("%v: %v", c.Time, err)
			}
		}
	})
}
