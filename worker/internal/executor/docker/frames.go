package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"cloudai/worker/internal/executor"
)

// piece is some bytes of one stream, in the order in which the engine gave
// them.
type piece struct {
	stream executor.Stream
	time   time.Time
	data   []byte // the receiver's to keep
}

// pieceSize bounds a piece, in bytes.
const pieceSize = 64 << 10

// frames reads the engine's framing of the two streams: a byte for the
// stream, three of nothing, four for the payload's length, the payload.
type frames struct {
	r      *bufio.Reader
	stream executor.Stream
	left   int64 // bytes of the payload not yet read
}

func newFrames(r io.Reader) *frames {
	return &frames{r: bufio.NewReaderSize(r, pieceSize)}
}

// Values of a frame's first byte.
const (
	frameStdout = 1
	frameStderr = 2
	frameSystem = 3 // an error of the engine, in words
)

// maxSystemError bounds what is quoted of the engine's words, in bytes.
const maxSystemError = 2048

// next reads the next header; io.EOF at the end.
func (f *frames) next() error {
	var header [8]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return err
	}
	f.left = int64(binary.BigEndian.Uint32(header[4:]))
	switch header[0] {
	case frameStdout:
		f.stream = executor.Stdout
	case frameStderr:
		f.stream = executor.Stderr
	case frameSystem:
		words, err := io.ReadAll(io.LimitReader(f.r, min(f.left, maxSystemError)))
		return errors.Join(fmt.Errorf("the engine ended the log: %s", words), err)
	default:
		return fmt.Errorf("the engine's log has a frame of kind %d", header[0])
	}
	return nil
}

// read returns the next part of the payload, at most pieceSize; nil at its end.
func (f *frames) read() ([]byte, error) {
	if f.left == 0 {
		return nil, nil
	}
	data := make([]byte, min(f.left, pieceSize))
	n, err := io.ReadFull(f.r, data)
	f.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return data[:n], err
}

// live yields the pieces of an attached container. The time is that of their
// arrival. io.EOF is the proper end.
func live(r io.Reader, yield func(piece) error) error {
	f := newFrames(r)
	for {
		if err := f.next(); err != nil {
			return err
		}
		for f.left > 0 {
			data, err := f.read()
			if len(data) > 0 {
				if err := yield(piece{stream: f.stream, time: time.Now().UTC(), data: data}); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
		}
	}
}

// maxStamp is more than a timestamp can have, in bytes.
const maxStamp = 64

// stored yields the pieces of a stored log read with timestamps, with the
// same bytes as live would. io.EOF is the proper end.
//
// The engine splits lines of 16 KiB and more. All parts of a line bear the
// same timestamp, and the log driver "local" forgets the newline that ended
// such a line: it is put back when the stream goes on with another timestamp.
// (At the very end it cannot be told from a line without newline.)
func stored(r io.Reader, yield func(piece) error) error {
	f := newFrames(r)
	var streams [executor.Stderr + 1]repair
	for {
		if err := f.next(); err != nil {
			return err
		}
		stamp, err := f.stamp()
		if err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		if err != nil {
			return fmt.Errorf("the engine's log has a bad timestamp: %w", err)
		}
		at = at.UTC()
		stream := &streams[f.stream]
		if stream.open && !bytes.Equal(stream.stamp, stamp) {
			if err := yield(piece{stream: f.stream, time: at, data: []byte{'\n'}}); err != nil {
				return err
			}
			stream.open = false
		}
		stream.stamp = stamp
		for f.left > 0 {
			data, err := f.read()
			if len(data) > 0 {
				stream.open = data[len(data)-1] != '\n'
				if err := yield(piece{stream: f.stream, time: at, data: data}); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
		}
	}
}

// repair is what stored must know of a stream's last frame.
type repair struct {
	stamp []byte
	open  bool // it did not end with a newline
}

// stamp reads the timestamp and the space after it from the payload's start.
func (f *frames) stamp() ([]byte, error) {
	stamp := make([]byte, 0, maxStamp)
	for f.left > 0 && len(stamp) < maxStamp {
		b, err := f.r.ReadByte()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		f.left--
		if b == ' ' {
			return stamp, nil
		}
		stamp = append(stamp, b)
	}
	return nil, errors.New("the engine's log has a frame without timestamp")
}
