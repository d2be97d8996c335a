package settings

import (
	"encoding/binary"
	"math"
)

// CellBytes is what a value takes in memory that is shared with a script's process: whole numbers and real ones in 8 bytes,
// little-endian, a truth in one, and text up to a zero.
const CellBytes = MostText + 1

// PutCell writes a value.
func PutCell(cell []byte, v any) {
	clear(cell)
	switch v := v.(type) {
	case int64:
		binary.LittleEndian.PutUint64(cell, uint64(v))
	case float64:
		binary.LittleEndian.PutUint64(cell, math.Float64bits(v))
	case bool:
		if v {
			cell[0] = 1
		}
	case string:
		copy(cell, v)
	}
}
