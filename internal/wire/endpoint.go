package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"drp/internal/rundir"
)

// Endpoint is where a Pub listens and a Sub connects to: a socket of this user in a folder of his own, or TCP.
type Endpoint struct {
	Path    string         // of the socket; others connect to ipc://PATH
	Address string         // or HOST:PORT
	Allow   []netip.Prefix // who may connect by TCP; nobody but this machine when it is empty
}

// String is how ZeroMQ writes it.
func (e Endpoint) String() string {
	if e.Path != "" {
		return "ipc://" + e.Path
	}
	return "tcp://" + e.Address
}

// check refuses what cannot be an endpoint.
func (e Endpoint) check() error {
	switch {
	case (e.Path == "") == (e.Address == ""):
		return errors.New("wire: an endpoint is a path or an address")
	case len(e.Path) > rundir.LongestSocket:
		return fmt.Errorf("wire: the path of the socket %s has %d bytes, and the system takes %d: set XDG_RUNTIME_DIR to a "+
			"shorter folder", e.Path, len(e.Path), rundir.LongestSocket)
	case e.Path != "" && !filepath.IsAbs(e.Path):
		return fmt.Errorf("wire: the path of the socket %q does not begin with /", e.Path)
	}
	return nil
}

// listen opens the endpoint. The function it gives closes it, and lets the next one have it.
func (e Endpoint) listen() (net.Listener, func(), error) {
	if err := e.check(); err != nil {
		return nil, nil, err
	}
	if e.Path == "" {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", e.Address)
		if err != nil {
			return nil, nil, fmt.Errorf("wire: %w", err)
		}
		return l, func() { _ = l.Close() }, nil
	}
	if err := rundir.Private(filepath.Dir(e.Path)); err != nil {
		return nil, nil, err
	}
	release, err := rundir.Hold(e.Path + ".lock")
	if err != nil {
		return nil, nil, fmt.Errorf("wire: socket %s: %w", e.Path, err)
	}
	l, err := e.bind()
	if err != nil {
		release()
		return nil, nil, err
	}
	return l, func() { _ = l.Close(); release() }, nil
}

// bind makes the socket, with mode 0600 from its first moment: its inode takes over the mode of the descriptor. So
// nothing has to be done to the umask, which belongs to the whole process.
func (e Endpoint) bind() (net.Listener, error) {
	if err := e.removeStale(); err != nil {
		return nil, err
	}
	private := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	l, err := private.Listen(context.Background(), "unix", e.Path)
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	return l, nil
}

// removeStale removes a socket that a killed owner left: one of ours, at which nobody listens.
func (e Endpoint) removeStale() error {
	info, err := os.Lstat(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode().Type() != fs.ModeSocket || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("wire: %s is no socket of this user: remove it", e.Path)
	}
	c, err := net.DialTimeout("unix", e.Path, time.Second)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("wire: somebody listens at the socket %s: end that process first", e.Path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("wire: the socket %s is in the way: %w", e.Path, err)
	}
	if err := os.Remove(e.Path); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	return nil
}

// dial connects, and makes sure who is at the other end.
func (e Endpoint) dial(ctx context.Context) (net.Conn, error) {
	network, address := "tcp", e.Address
	if e.Path != "" {
		network, address = "unix", e.Path
	}
	c, err := (&net.Dialer{Timeout: handshakePatience}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if e.Path != "" {
		if _, err := Peer(c); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// admit judges a peer that has connected.
func (e Endpoint) admit(c net.Conn) error {
	if e.Path != "" {
		_, err := Peer(c)
		return err
	}
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return err
	}
	ip := from.Addr().Unmap().WithZone("")
	if len(e.Allow) == 0 && ip.IsLoopback() {
		return nil
	}
	for _, p := range e.Allow {
		if p.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("wire: %v is not among those who may connect", ip)
}

// Peer is the process at the other end of a socket of this machine. One of another user is refused; the kernel says whose it is.
func Peer(c net.Conn) (pid int, err error) {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("wire: %T is no socket of this machine", c)
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("wire: ask who the peer is: %w", err)
	}
	if int(peer.Uid) != os.Getuid() {
		return 0, fmt.Errorf("wire: the peer, process %d, belongs to user %d and not to %d", peer.Pid, peer.Uid, os.Getuid())
	}
	return int(peer.Pid), nil
}
