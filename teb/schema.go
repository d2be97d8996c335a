package teb

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Type is that of the values of a field.
type Type uint8

const (
	Bool Type = iota
	U8
	U16
	U32
	U64
	I8
	I16
	I32
	I64
	F32
	F64
	numTypes
)

var (
	typeNames = [numTypes]string{"bool", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64"}
	typeBytes = [numTypes]int{1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8}
)

// Bytes is the size of one value, 0 for a type that is not known.
func (t Type) Bytes() int {
	if t < numTypes {
		return typeBytes[t]
	}
	return 0
}

func (t Type) String() string {
	if t < numTypes {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// ParseType is the inverse of String.
func ParseType(name string) (Type, error) {
	for t, known := range typeNames {
		if name == known {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("teb: there is no type %.40q; there are %s", name, strings.Join(typeNames[:], ", "))
}

// Bounds of a schema. A contribution is a few numbers, and a trigger looks at all of them.
const (
	MaxFields   = 64
	MaxRowBytes = 4096
	maxName     = 63
	maxText     = 8 << 10
)

// Field is one value, or a fixed number of them, in each row.
type Field struct {
	Name string
	Type Type
	Len  int // 0 is one value; else an array of so many

	offset int
}

// Offset is where the field begins in a row.
func (f *Field) Offset() int { return f.offset }

func (f *Field) String() string {
	if f.Len > 0 {
		return fmt.Sprintf("%s %v[%d]", f.Name, f.Type, f.Len)
	}
	return f.Name + " " + f.Type.String()
}

// Schema says what one contributor brings for each event. It does not change once it is made.
type Schema struct {
	name     string
	fields   []Field
	rowBytes int
	text     string
	hash     uint64
}

// NewSchema makes a schema. The name is that of the contributor, a detector or a segment of one, and no other of the
// partition has it. Each field lies at a multiple of its own size, so that NumPy and C read it where it is.
func NewSchema(name string, fields ...Field) (*Schema, error) {
	s := &Schema{name: name, fields: append([]Field(nil), fields...)}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("teb: contributor: %w", err)
	}
	if len(fields) > MaxFields {
		return nil, fmt.Errorf("teb: contributor %s: %d fields: at most %d are possible", name, len(fields), MaxFields)
	}
	seen := map[string]bool{"present": true, "damage": true}
	at := rowHeadBytes
	for i := range s.fields {
		f := &s.fields[i]
		if err := f.check(seen); err != nil {
			return nil, fmt.Errorf("teb: contributor %s: %w", name, err)
		}
		size := f.Type.Bytes()
		f.offset = (at + size - 1) / size * size
		at = f.offset + size*max(f.Len, 1)
		if at > MaxRowBytes {
			return nil, fmt.Errorf("teb: contributor %s: field %s ends at byte %d of a row: at most %d are possible",
				name, f.Name, at, MaxRowBytes)
		}
	}
	s.rowBytes = (at + 7) &^ 7
	s.text = s.write()
	sum := sha256.Sum256([]byte(s.text))
	s.hash = binary.LittleEndian.Uint64(sum[:])
	return s, nil
}

func (f *Field) check(seen map[string]bool) error {
	if err := checkName(f.Name); err != nil {
		return fmt.Errorf("field: %w", err)
	}
	if seen[f.Name] {
		return fmt.Errorf("field %s: the name is taken", f.Name)
	}
	seen[f.Name] = true
	if f.Type >= numTypes {
		return fmt.Errorf("field %s: %v is not known", f.Name, f.Type)
	}
	if f.Len < 0 || f.Len > MaxRowBytes {
		return fmt.Errorf("field %s: %d values: 0 to %d are possible", f.Name, f.Len, MaxRowBytes)
	}
	return nil
}

// checkName takes what can stand in an expression.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("a name has 1 to %d bytes: %.80q", maxName, name)
	}
	for i, c := range []byte(name) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("a name has letters, digits and _, and begins with no digit: %q", name)
		}
	}
	return nil
}

// Name is that of the contributor.
func (s *Schema) Name() string { return s.name }

// Fields are in the order of a row; they must not be changed.
func (s *Schema) Fields() []Field { return s.fields }

// RowBytes is the size of a row.
func (s *Schema) RowBytes() int { return s.rowBytes }

// Hash tells schemas apart: it is that of the text.
func (s *Schema) Hash() uint64 { return s.hash }

// Field gives a field by name, or nil.
func (s *Schema) Field(name string) *Field {
	for i := range s.fields {
		if s.fields[i].Name == name {
			return &s.fields[i]
		}
	}
	return nil
}

const schemaTitle = "drp-contribution 1"

// Text is the canonical form: equal texts are equal schemas.
func (s *Schema) Text() string { return s.text }

func (s *Schema) write() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ncontributor %s\n", schemaTitle, s.name)
	for i := range s.fields {
		fmt.Fprintf(&b, "%v\n", &s.fields[i])
	}
	return b.String()
}

// ParseSchema reads the canonical form, and nothing but that.
func ParseSchema(text string) (*Schema, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("teb: a schema of %d bytes: at most %d are taken", len(text), maxText)
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 3 || lines[0] != schemaTitle {
		return nil, fmt.Errorf("teb: a schema begins with %q: %.80q", schemaTitle, text)
	}
	name, ok := strings.CutPrefix(lines[1], "contributor ")
	if !ok {
		return nil, fmt.Errorf("teb: a schema names its contributor: %.80q", lines[1])
	}
	var fields []Field
	for _, line := range lines[2 : len(lines)-1] {
		f, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if fields = append(fields, f); len(fields) > MaxFields {
			break // NewSchema says that it is too many
		}
	}
	s, err := NewSchema(name, fields...)
	if err == nil && s.text != text {
		return nil, errors.New("teb: the text of a schema is not as it is written here: " + strconv.Quote(text))
	}
	return s, err
}

func parseField(line string) (Field, error) {
	name, kind, ok := strings.Cut(line, " ")
	if !ok {
		return Field{}, fmt.Errorf("teb: a field has a name and a type: %.80q", line)
	}
	f := Field{Name: name}
	kind, length, array := strings.Cut(kind, "[")
	var err error
	if array {
		if f.Len, err = strconv.Atoi(strings.TrimSuffix(length, "]")); err != nil {
			return f, fmt.Errorf("teb: the length of a field is a number: %.80q", line)
		}
	}
	f.Type, err = ParseType(kind)
	return f, err
}

// MismatchError says that a contributor brings something else than was configured.
type MismatchError struct {
	Want *Schema
	Got  string // the text of the other, or what is known of it
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("teb: contributor %s brings something else than it was configured for: configure again\nconfigured:\n%sit brings:\n%s",
		e.Want.name, indent(e.Want.text), indent(e.Got))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
