package wire_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/wire"
)

func TestAPrivateSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // a socket has a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := wire.ListenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Write([]byte("hello"))
			_ = c.Close()
		}
	}()
	c, err := wire.DialPrivate(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(c); err != nil || string(said) != "hello" {
		t.Errorf("%q, %v", said, err)
	}
	_ = c.Close()
	if _, err := wire.ListenPrivate(path); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		t.Errorf("a living socket is taken over: %v", err)
	}
	_ = l.Close()
	if _, err := wire.ListenPrivate(strings.Repeat("/x", 60)); err == nil || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR") {
		t.Errorf("a path that is too long: %v", err)
	}
}
