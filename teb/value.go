package teb

import "math"

// PutInt writes a whole number, or a truth, as value i of a field. It must be within the type, as the caller knows.
func (f *Field) PutInt(row []byte, i int, v int64) {
	b := row[f.offset+i*f.Type.Bytes():]
	switch f.Type {
	case Bool:
		b[0] = 0
		if v != 0 {
			b[0] = 1
		}
	case U8, I8:
		b[0] = byte(v)
	case U16, I16:
		le.PutUint16(b, uint16(v))
	case U32, I32:
		le.PutUint32(b, uint32(v))
	case U64, I64:
		le.PutUint64(b, uint64(v))
	default:
		f.PutFloat(row, i, float64(v))
	}
}

// PutFloat writes a number as value i of a field.
func (f *Field) PutFloat(row []byte, i int, v float64) {
	b := row[f.offset+i*f.Type.Bytes():]
	switch f.Type {
	case F32:
		le.PutUint32(b, math.Float32bits(float32(v)))
	case F64:
		le.PutUint64(b, math.Float64bits(v))
	default:
		f.PutInt(row, i, int64(v))
	}
}

// Int reads value i of a field as a whole number; of u64, what does not fit turns negative.
func (f *Field) Int(row []byte, i int) int64 {
	b := row[f.offset+i*f.Type.Bytes():]
	switch f.Type {
	case Bool:
		if b[0] != 0 {
			return 1
		}
		return 0
	case U8:
		return int64(b[0])
	case I8:
		return int64(int8(b[0]))
	case U16:
		return int64(le.Uint16(b))
	case I16:
		return int64(int16(le.Uint16(b)))
	case U32:
		return int64(le.Uint32(b))
	case I32:
		return int64(int32(le.Uint32(b)))
	case U64, I64:
		return int64(le.Uint64(b))
	}
	return int64(f.Float(row, i))
}

// Float reads value i of a field as a number.
func (f *Field) Float(row []byte, i int) float64 {
	b := row[f.offset+i*f.Type.Bytes():]
	switch f.Type {
	case F32:
		return float64(math.Float32frombits(le.Uint32(b)))
	case F64:
		return math.Float64frombits(le.Uint64(b))
	case U64:
		return float64(le.Uint64(b))
	}
	return float64(f.Int(row, i))
}
