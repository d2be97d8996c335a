package control

import (
	"context"
	"errors"
	"syscall"
)

// asker is the key of the connection by which a request came.
type asker struct{}

// hungUp tells whether the other end of the connection was closed. The server finds out by itself, but too late for a request
// that it reads together with its end.
func hungUp(ctx context.Context) (gone bool) {
	c, ok := ctx.Value(asker{}).(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		var next [1]byte
		n, _, err := syscall.Recvfrom(int(fd), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET)
	})
	return gone || err != nil
}
