package client

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// NewKey makes a key for one request, as no other request has.
func NewKey() string { return rand.Text() }

// once makes a call with a key, which takes effect once however often it is
// sent, and sends it until it is known what became of it or the client's
// patience has run out. Where nobody is to take it, it ends at once.
func once[T any](ctx context.Context, c *Client, key string, r request) (T, error) {
	r.header = http.Header{KeyHeader: {key}}
	patience := c.newPatience()
	begun := false // a master was there
	for {
		t, err := call[T](ctx, c, r)
		if err == nil {
			return t, nil
		}
		if !repeatable(err) && !(begun && passing(err)) {
			return t, err
		}
		begun = true
		if err := patience.wait(ctx, err); err != nil {
			return t, err
		}
	}
}

// repeatable reports whether a call with a key should be sent again: its
// connection broke, or the master asks to come again.
func repeatable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusConflict: // a twin is under way
			return e.RetryAfter > 0
		case http.StatusTooManyRequests:
			return true
		}
		return passing(err)
	}
	var timeout net.Error
	for _, broke := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, broke) {
			return true
		}
	}
	return errors.As(err, &timeout) && timeout.Timeout() && !isDial(err)
}

// isDial reports whether the connection was never made.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
