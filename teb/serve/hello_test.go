package serve

import (
	"bytes"
	"testing"

	"drp/teb"
)

func FuzzHello(f *testing.F) {
	s, err := teb.NewSchema("c0", teb.Field{Name: "npeaks", Type: teb.U16})
	if err != nil {
		f.Fatal(err)
	}
	h := hello{partition: 1, process: 2, from: 3, schema: s}
	f.Add(h.bytes())
	f.Add([]byte(helloMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err == nil && !bytes.Equal(h.bytes(), b) {
			t.Errorf("%q is written as %q", b, h.bytes())
		}
	})
}
