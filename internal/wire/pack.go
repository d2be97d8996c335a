package wire

import (
	"bytes"

	"github.com/vmihailenco/msgpack/v5"
)

// Pack writes msgpack value by value, each as short as can be, which is what Python's packer makes of the same values.
type Pack struct {
	b bytes.Buffer
	e *msgpack.Encoder
}

// NewPack makes one that has nothing in it.
func NewPack() *Pack {
	p := &Pack{}
	p.e = msgpack.NewEncoder(&p.b)
	return p
}

// Take gives what was written since the last Take. It belongs to the caller.
func (p *Pack) Take() []byte {
	b := bytes.Clone(p.b.Bytes())
	p.b.Reset()
	return b
}

// Map begins a map of so many keys, each of which a value follows.
func (p *Pack) Map(n int) { p.wrote(p.e.EncodeMapLen(n)) }

// List begins a list of so many values.
func (p *Pack) List(n int) { p.wrote(p.e.EncodeArrayLen(n)) }

// Text writes a text, which should be UTF-8.
func (p *Pack) Text(s string) { p.wrote(p.e.EncodeString(s)) }

// Int writes a whole number.
func (p *Pack) Int(v int64) { p.wrote(p.e.EncodeInt(v)) }

// Uint writes a whole number that is not negative.
func (p *Pack) Uint(v uint64) { p.wrote(p.e.EncodeUint(v)) }

// Float writes a number of 8 bytes.
func (p *Pack) Float(v float64) { p.wrote(p.e.EncodeFloat64(v)) }

// Bool writes a truth value.
func (p *Pack) Bool(v bool) { p.wrote(p.e.EncodeBool(v)) }

// wrote refuses an error, which a buffer has none of.
func (p *Pack) wrote(err error) {
	if err != nil {
		panic(err)
	}
}
