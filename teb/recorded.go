package teb

import (
	"fmt"

	"drp/xtc"
)

// recordedTypes are those of fields in XTC2 files, which have no truths.
var recordedTypes = [numTypes]xtc.DataType{xtc.UInt8, xtc.UInt8, xtc.UInt16, xtc.UInt32, xtc.UInt64, xtc.Int8, xtc.Int16, xtc.Int32,
	xtc.Int64, xtc.Float, xtc.Double}

// Entries are those of a recorded contribution: its damage, which no field is called, and its fields in their order. Pulse ID,
// time and readout groups are those of the event.
func (s *Schema) Entries() []xtc.Name {
	all := []xtc.Name{{Name: "damage", Type: xtc.UInt16}}
	for i := range s.fields {
		f := &s.fields[i]
		all = append(all, xtc.Name{Name: f.Name, Type: recordedTypes[f.Type], Rank: min(f.Len, 1)})
	}
	return all
}

// AppendRecord appends a block of a row; names has the entries above.
func (s *Schema) AppendRecord(to []byte, names *xtc.Names, row []byte) ([]byte, error) {
	var b xtc.Builder
	b.Begin(to, names)
	b.Uint(uint64(HeadOf(row).Damage))
	for i := range s.fields {
		switch f := &s.fields[i]; {
		case f.Len > 0:
			copy(b.Array(uint32(f.Len)), f.bytes(row))
		case f.Type.quantity() == fraction:
			b.Float(f.Float(row, 0))
		default:
			b.Int(f.Int(row, 0))
		}
	}
	return b.End()
}

// CheckRecord tells whether blocks of these names are contributions of the schema.
func (s *Schema) CheckRecord(names *xtc.Names) error {
	want := s.Entries()
	if len(names.Entries) != len(want) {
		return fmt.Errorf("teb: contributor %s: a recorded contribution has %d values, and its schema %d fields:\n%s", s.name,
			len(names.Entries)-1, len(s.fields), indent(s.text))
	}
	for i, e := range names.Entries {
		if e.Name != want[i].Name || e.Type != want[i].Type || e.Rank != want[i].Rank {
			return fmt.Errorf("teb: contributor %s: a recorded contribution has %s, %v of rank %d, in the place of %s, %v of rank %d",
				s.name, e.Name, e.Type, e.Rank, want[i].Name, want[i].Type, want[i].Rank)
		}
	}
	return nil
}

// ReadRecord makes a row of a block, whose names were checked; what else is in the head is the caller's.
func (s *Schema) ReadRecord(row []byte, h Head, b *xtc.Block) error {
	clear(row)
	damage := b.Field(0)
	h.Damage = xtc.Damage(damage.Uint64())
	PutHead(row, h)
	for i := range s.fields {
		f, v := &s.fields[i], b.Field(i+1)
		if v.Len() != max(f.Len, 1) {
			return fmt.Errorf("teb: contributor %s: %v was recorded with %d values", s.name, f, v.Len())
		}
		copy(f.bytes(row), v.Data)
		for j := range v.Len() {
			if f.Type == Bool && f.Int(row, j) != 0 {
				f.PutInt(row, j, 1)
			}
		}
	}
	return nil
}

// bytes are those of a field in a row.
func (f *Field) bytes(row []byte) []byte { return row[f.offset:][:f.Type.Bytes()*max(f.Len, 1)] }
