package watch

import (
	"net"
	"net/http"
)

// Refusal is with which code a request is refused by a server at an address, 0 if it is not.
func Refusal(token, control, address string, r *http.Request) int {
	code, _ := newGuard(token, control, address, &thrift{}, nil).judge(r)
	return code
}

// FewConnections is a listener that lets so many be open.
func FewConnections(l net.Listener, most int) net.Listener { return newFewConnections(l, most) }

// Turned tells one of its connections what is done on it.
func Turned(c net.Conn, state http.ConnState) { c.(*counted).turn(state) }

// AtOnce is how many are let in at an address at once.
func AtOnce() (n int) {
	for p := connectionPace(); p.Now(); n++ {
	}
	return n
}
