package cluster

import "time"

// Stream tells a container's two outputs apart.
type Stream uint8

// The streams; StreamMarker is text that the master wrote in their place.
const (
	StreamStdout Stream = 1
	StreamStderr Stream = 2
	StreamMarker Stream = 3
)

// String is the name people read.
func (s Stream) String() string {
	switch s {
	case StreamStdout:
		return "stdout"
	case StreamStderr:
		return "stderr"
	case StreamMarker:
		return "marker"
	}
	return "unknown"
}

// LogChunk is a piece of one stream as a worker sends it. With Dropped > 0 the
// bytes [Offset, Offset+Dropped) of the stream are lost for ever and Data is
// empty.
type LogChunk struct {
	Stream  Stream
	Offset  int64 // bytes, within its stream
	Time    time.Time
	Data    []byte
	Dropped int64 // bytes
}

// LogOffsets count bytes per stream.
type LogOffsets struct {
	Stdout int64
	Stderr int64
}
