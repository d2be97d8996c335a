package wire

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestOtherProtocols: an endpoint serves those who may connect, and closes the connections of others at once.
func TestOtherProtocols(t *testing.T) {
	nobody := netip.MustParsePrefix("192.0.2.0/24")
	for name, test := range map[string]struct {
		at  Endpoint
		may bool
	}{
		"a socket":              {place(t), true},
		"this machine":          {Endpoint{Address: "127.0.0.1:0"}, true},
		"a network of others":   {Endpoint{Address: "127.0.0.1:0", Allow: []netip.Prefix{nobody}}, false},
		"a network with a list": {Endpoint{Address: "127.0.0.1:0", Allow: []netip.Prefix{nobody, netip.MustParsePrefix("127.0.0.0/8")}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, closing, err := test.at.Listen()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte("x"))
					_ = c.Close()
				}
			}()
			at := test.at
			if at.Path == "" {
				at.Address = l.Addr().String()
			}
			c, err := at.Dial(within(t))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			if got, _ := io.ReadAll(c); (string(got) == "x") != test.may {
				t.Errorf("%q", got)
			}
			_ = c.Close()
			closing()
			<-served
			if _, err := net.Dial(network(at), at.Path+at.Address); err == nil {
				t.Error("it still listens")
			}
		})
	}
}

func network(e Endpoint) string {
	if e.Path != "" {
		return "unix"
	}
	return "tcp"
}
