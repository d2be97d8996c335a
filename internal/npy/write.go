package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unsafe"
)

// headerAlign is what the header of an array is padded to, so that its elements can be mapped.
const headerAlign = 64

// Write writes an array, whose number of values must be that of its shape. The same array always gives the same bytes.
func Write[T Number](w io.Writer, shape []int, values []T) error {
	if elements(shape) != len(values) {
		return fmt.Errorf("npy: %d values do not have the shape %v", len(values), shape)
	}
	if _, err := w.Write(header(typeName[T](), shape)); err != nil {
		return err
	}
	_, err := w.Write(bytesOf(values)) // every machine that we run on is little endian
	return err
}

// typeName is NumPy's: "<f4".
func typeName[T Number]() string {
	var zero T
	kind, order := "i", "<"
	size := unsafe.Sizeof(zero)
	half := T(1) / 2
	switch {
	case half != 0:
		kind = "f"
	case zero-1 > 0:
		kind = "u"
	}
	if size == 1 {
		order = "|"
	}
	return fmt.Sprintf("%s%s%d", order, kind, size)
}

func header(descr string, shape []int) []byte {
	var extents strings.Builder
	for i, extent := range shape {
		if i > 0 {
			extents.WriteByte(' ')
		}
		fmt.Fprintf(&extents, "%d,", extent)
	}
	list := extents.String()
	if len(shape) > 1 {
		list = strings.TrimSuffix(list, ",")
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, list)
	const start = len(magic) + 4
	pad := headerAlign - (start+len(dict)+1)%headerAlign
	dict += strings.Repeat(" ", pad%headerAlign) + "\n"
	h := append([]byte(magic), 1, 0)
	h = binary.LittleEndian.AppendUint16(h, uint16(len(dict)))
	return append(h, dict...)
}
