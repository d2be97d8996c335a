package watch_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/watch"
)

// pipes are a listener that has a connection whenever it is asked.
type pipes struct{ closed chan struct{} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case <-p.closed:
		return nil, net.ErrClosed
	default:
		c, _ := net.Pipe()
		return c, nil
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return nil }

// few is a listener with places, and those who have got one or wait for it.
type few struct {
	t *testing.T
	net.Listener
	coming chan net.Conn
}

func newFew(t *testing.T, most int) *few {
	testkit.NoLeaks(t)
	return &few{t, watch.FewConnections(&pipes{make(chan struct{})}, most), make(chan net.Conn, 1)}
}

// comes accepts one more, in its own time.
func (f *few) comes() {
	go func() {
		c, err := f.Accept()
		if err != nil {
			c = nil
		}
		f.coming <- c
	}()
}

func (f *few) place() net.Conn {
	f.t.Helper()
	select {
	case c := <-f.coming:
		return c
	case <-time.After(testkit.Patience):
		f.t.Fatal("whoever comes gets no place")
		return nil
	}
}

func (f *few) wantClosed(c net.Conn, want bool) {
	f.t.Helper()
	if err := c.SetDeadline(time.Time{}); (err != nil) != want { // of a pipe that is closed there is an error
		f.t.Errorf("closed: %v, and not %v", !want, want)
	}
}

// TestWhoAsksNothingMakesRoom for who comes, the one first that has rested longest; who is answered stays, and so do all while there is room.
func TestWhoAsksNothingMakesRoom(t *testing.T) {
	f := newFew(t, 3)
	var all []net.Conn
	next := func() { f.comes(); all = append(all, f.place()) }
	for range 3 {
		next()
	}
	watch.Turned(all[0], http.StateActive)
	next() // in place of the second
	f.wantClosed(all[0], false)
	f.wantClosed(all[1], true)
	f.wantClosed(all[2], false)
	watch.Turned(all[0], http.StateIdle)
	_ = all[1].Close() // once more, as the server does: its place was given away
	next()             // of the third, since the first has rested since its answer alone
	f.wantClosed(all[0], false)
	f.wantClosed(all[2], true)
	for _, i := range []int{0, 3, 4} {
		watch.Turned(all[i], http.StateActive)
	}
	f.comes() // and waits: all are being answered
	watch.Turned(all[3], http.StateIdle)
	all = append(all, f.place())
	f.wantClosed(all[3], true)
	watch.Turned(all[5], http.StateActive)
	f.comes()
	_ = all[0].Close()
	all = append(all, f.place())
	for _, i := range []int{4, 5, 6} {
		f.wantClosed(all[i], false)
	}
	watch.Turned(all[6], http.StateActive)
	f.comes()
	if err := f.Close(); err != nil || f.place() != nil {
		t.Error("whoever waits does not hear of the end", err)
	}
	if _, err := f.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestManyWhoAskNothing, more than twice as many as there are places for, keep nobody waiting at the door.
func TestManyWhoAskNothing(t *testing.T) {
	if n := watch.AtOnce(); n < 150 {
		t.Errorf("%d are let in at once", n)
	}
}
