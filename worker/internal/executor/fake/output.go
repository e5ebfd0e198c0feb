package fake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeOutput puts the plan's files into the output folder, but those that
// are there in full. A folder that is gone was collected already.
func writeOutput(ctx context.Context, dir string, p plan) error {
	if p.Files == 0 {
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	each, rest := p.FileBytes/int64(p.Files), p.FileBytes%int64(p.Files)
	for i := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		size := each
		if i == p.Files-1 {
			size += rest
		}
		path := filepath.Join(dir, fmt.Sprintf("out-%05d.txt", i+1))
		if info, err := os.Lstat(path); err == nil && info.Size() == size {
			continue
		}
		if err := writeFile(path, i, size); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	return nil
}

// writeFile makes a file of so many bytes, the same for the same number.
func writeFile(path string, number int, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	_, err = io.CopyN(w, &pattern{line: fmt.Appendf(nil, "file %d\n", number+1)}, size)
	return errors.Join(err, w.Flush(), f.Close())
}

// pattern repeats a line without end.
type pattern struct {
	line []byte
	at   int
}

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.line[p.at]
		p.at = (p.at + 1) % len(p.line)
	}
	return len(b), nil
}
