package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudai/master/client"
	"cloudai/proto/netport"
)

const (
	homePrefix = "cloudai-" // of a folder for the socket under the temporary one
	bornPrefix = ".sock"    // of the folder in which a socket is made
)

// ListenTCP listens at HTTP_ADDR. A port in use is named with its setting and
// its owner.
func ListenTCP(ctx context.Context, addr string) (net.Listener, error) {
	return netport.ListenTCP(ctx, "HTTP_ADDR", "--http-addr", addr)
}

// Socket is the Unix socket of a master. Whoever can open it is the admin.
type Socket struct {
	*net.UnixListener
	Path string

	remove []string // when it is closed, in this order
}

// ListenSocket makes the socket of the master that keeps its data in dir:
// dir/master.sock, or a short path under the temporary folder when that is too
// long for a socket, which master.sock.path in dir then names. The socket is
// 0600 from the moment it can be reached. One left behind by a master that is
// gone is replaced; one that answers is an error. Two masters that start at
// once on one dir must have been told apart before, by the store's lock.
func ListenSocket(ctx context.Context, dir string) (*Socket, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := refuseLive(ctx, client.SocketIn(dir)); err != nil {
		return nil, err
	}
	pointer := filepath.Join(dir, client.SocketPathName)
	if err := removePointed(pointer); err != nil {
		return nil, err
	}
	if err := sweepBorn(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, client.SocketName)
	// The socket is made in a folder that only we can enter and moved into its
	// place once its mode is right; "/s" and eleven digits are that folder's.
	const room = len("/.sock0123456789/s")
	if len(dir)+room <= client.MaxSocketPath {
		return listenIn(dir, path)
	}
	home, err := os.MkdirTemp("", homePrefix) // 0700
	if err != nil {
		return nil, fmt.Errorf("make a folder with a short name for the socket: %w", err)
	}
	path = filepath.Join(home, client.SocketName)
	if len(home)+room > client.MaxSocketPath {
		return nil, errors.Join(fmt.Errorf("the path %s is too long for a Unix socket; set TMPDIR to a shorter one", path), os.Remove(home))
	}
	s, err := listenIn(home, path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(home))
	}
	s.remove = append(s.remove, home, pointer)
	if err := os.WriteFile(pointer, []byte(path+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("name the socket: %w", err), s.Close())
	}
	return s, nil
}

func listenIn(dir, path string) (*Socket, error) {
	private, err := os.MkdirTemp(dir, bornPrefix) // 0700
	if err != nil {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	defer func() { _ = os.RemoveAll(private) }() // empty, unless something below failed
	born := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: born, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(born, 0o600), os.Rename(born, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("make the socket: %w", err), l.Close())
	}
	return &Socket{UnixListener: l, Path: path, remove: []string{path}}, nil
}

// sweepBorn removes what a crash in the midst of listenIn left.
func sweepBorn(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, bornPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// refuseLive is an error when somebody answers at the path.
func refuseLive(ctx context.Context, path string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil //nolint:nilerr // nobody answers: that is the good case
	}
	_ = conn.Close() // nothing was said
	return fmt.Errorf("another master already serves %s", path)
}

// removePointed removes what a master that is gone left under the temporary
// folder.
func removePointed(pointer string) error {
	path := client.SocketIn(filepath.Dir(pointer))
	if filepath.Dir(path) == filepath.Dir(pointer) {
		return nil
	}
	// Only what bears the names that we give; anything else stays.
	if home := filepath.Dir(path); filepath.Base(path) == client.SocketName && strings.HasPrefix(filepath.Base(home), homePrefix) {
		_ = os.Remove(path) // may be gone with the temporary folder
		_ = os.Remove(home)
	}
	if err := os.Remove(pointer); err != nil {
		return fmt.Errorf("remove what an earlier master left: %w", err)
	}
	return nil
}

// Close stops listening and removes the socket.
func (s *Socket) Close() error {
	err := s.UnixListener.Close()
	for _, path := range s.remove {
		if gone := os.Remove(path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	s.remove = nil
	return err
}
