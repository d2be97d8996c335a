package wire

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// maxMessageBytes is the largest message that Unmarshal takes.
const maxMessageBytes = 64 << 10

// Marshal writes a struct as a map, with the names of its json tags.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.SetCustomStructTag("json")
	e.UseCompactInts(true)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	if b.Len() > maxMessageBytes {
		return nil, fmt.Errorf("wire: a message of %d bytes: at most %d are sent", b.Len(), maxMessageBytes)
	}
	return b.Bytes(), nil
}

// Unmarshal reads what a peer sent into a struct. The struct says what there is: fields of fixed types, no interfaces.
// What it does not name is left out. The memory this takes is bounded by the largest message, by the number of values in
// it (see Scan) and by the size of the elements of the struct's lists.
func Unmarshal(b []byte, v any) error {
	if len(b) > maxMessageBytes {
		return fmt.Errorf("wire: a message of %d bytes: at most %d are taken", len(b), maxMessageBytes)
	}
	if err := Scan(b); err != nil {
		return err
	}
	d := msgpack.NewDecoder(bytes.NewReader(b))
	d.SetCustomStructTag("json")
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	return nil
}
