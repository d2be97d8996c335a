package xtc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const (
	stringBytes    = 256 // fixed strings of a Names, with the NUL
	namesHeadBytes = XtcHeaderBytes + 1036
	nameBytes      = 524
	maxWriteRank   = MaxRank - 1 // the C++ constructor refuses more
)

// A Name is one entry of a Names: a field of every ShapesData with that NamesID.
type Name struct {
	Name    string   `json:"name"`
	Type    DataType `json:"type"`
	Rank    int      `json:"rank"`
	Alg     string   `json:"alg,omitempty"`
	Version Version  `json:"version"`
}

// Names describes the ShapesData of one (detector, segment, algorithm).
//
//	0     12          16        272       528     784         1040      1044      1048
//	| Xtc | numArrays | detType | detName | detID | alg       | version | segment | entries, 524 bytes each
//	entry: | alg 256 | version 4 | name 256 | type 4 | rank 4 |
type Names struct {
	ID      NamesID `json:"names_id"`
	DetType string  `json:"det_type"`
	DetName string  `json:"det_name"`
	DetID   string  `json:"det_id,omitempty"`
	Alg     string  `json:"alg"`
	Version Version `json:"version"`
	Segment uint32  `json:"segment"`
	Entries []Name  `json:"entries"`
}

// ParseNames reads a whole Names Xtc. The error is a *FormatError with its offset in b.
func ParseNames(b []byte) (*Names, error) {
	if err := checkNames(b); err != nil {
		return nil, err
	}
	n := &Names{
		ID:      ParseHeader(b).NamesID(),
		DetType: fixedString(b[16:]),
		DetName: fixedString(b[272:]),
		DetID:   fixedString(b[528:]),
		Alg:     fixedString(b[784:]),
		Version: VersionOf(binary.LittleEndian.Uint32(b[1040:])),
		Segment: binary.LittleEndian.Uint32(b[1044:]),
		Entries: make([]Name, (len(b)-namesHeadBytes)/nameBytes),
	}
	for i := range n.Entries {
		e := b[namesHeadBytes+i*nameBytes:]
		n.Entries[i] = Name{
			Name:    fixedString(e[260:]),
			Type:    DataType(binary.LittleEndian.Uint32(e[516:])),
			Rank:    int(binary.LittleEndian.Uint32(e[520:])),
			Alg:     fixedString(e),
			Version: VersionOf(binary.LittleEndian.Uint32(e[256:])),
		}
	}
	return n, nil
}

// fixedString is the text before the NUL; what follows it is often garbage.
func fixedString(b []byte) string {
	text, _, _ := bytes.Cut(b[:stringBytes], []byte{0})
	return string(text)
}

// checkNames is the part of ParseNames that can fail, apart so that it allocates nothing.
func checkNames(b []byte) error {
	if len(b) < namesHeadBytes {
		return formatErrorf(0, "%d bytes are too few for Names (%d)", len(b), namesHeadBytes)
	}
	h := ParseHeader(b)
	if h.Type != TypeNames || int(h.Extent) != len(b) {
		return formatErrorf(0, "%v of extent %d is no Names of %d bytes", h.Type, h.Extent, len(b))
	}
	if (len(b)-namesHeadBytes)%nameBytes != 0 {
		return formatErrorf(8, "extent %d of Names %v does not hold whole entries", len(b), h.NamesID())
	}
	for _, off := range [...]int{16, 272, 528, 784} {
		if bytes.IndexByte(b[off:off+stringBytes], 0) < 0 {
			return formatErrorf(off, "a string of Names %v has no end", h.NamesID())
		}
	}
	arrays := uint32(0)
	for off := namesHeadBytes; off < len(b); off += nameBytes {
		rank, err := checkEntry(b, off)
		if err != nil {
			return err
		}
		if rank > 0 {
			arrays++
		}
	}
	if said := binary.LittleEndian.Uint32(b[12:]); said != arrays {
		return formatErrorf(12, "Names %v announces %d arrays and describes %d", h.NamesID(), said, arrays)
	}
	return nil
}

func checkEntry(b []byte, off int) (rank uint32, err error) {
	e := b[off : off+nameBytes]
	if bytes.IndexByte(e[:stringBytes], 0) < 0 || bytes.IndexByte(e[260:260+stringBytes], 0) < 0 {
		return 0, formatErrorf(off, "a string of an entry has no end")
	}
	t := DataType(binary.LittleEndian.Uint32(e[516:]))
	rank = binary.LittleEndian.Uint32(e[520:])
	switch {
	case !t.Valid():
		return 0, formatErrorf(off+516, "data type %d of entry %q is not known", uint32(t), fixedString(e[260:]))
	case rank > MaxRank:
		return 0, formatErrorf(off+520, "rank %d of entry %q exceeds %d", rank, fixedString(e[260:]), MaxRank)
	case t == CharStr && rank != 1:
		return 0, formatErrorf(off+520, "rank %d of CHARSTR entry %q must be 1", rank, fixedString(e[260:]))
	}
	return rank, nil
}

// AppendTo appends the whole Xtc, strings filled with zeros. It refuses what the C++ code or psana would: strings that
// are too long or empty where they are keys, characters outside [.0-9:A-Z_a-z] in entry names and [0-9A-Z_a-z] in
// DetName, ranks above 4. The error then leaves dst as it was.
func (n *Names) AppendTo(dst []byte) ([]byte, error) {
	if err := n.check(); err != nil {
		return dst, fmt.Errorf("xtc: Names %v (%s %s): %w", n.ID, n.DetName, n.Alg, err)
	}
	start := len(dst)
	dst = append(dst, make([]byte, n.Bytes())...)
	b := dst[start:]
	Header{Src: uint32(n.ID), Type: TypeNames, Extent: uint32(len(b))}.Put(b)
	binary.LittleEndian.PutUint32(b[12:], uint32(n.NumArrays()))
	copy(b[16:], n.DetType)
	copy(b[272:], n.DetName)
	copy(b[528:], n.DetID)
	copy(b[784:], n.Alg)
	binary.LittleEndian.PutUint32(b[1040:], n.Version.Uint32())
	binary.LittleEndian.PutUint32(b[1044:], n.Segment)
	for i, e := range n.Entries {
		b := b[namesHeadBytes+i*nameBytes:]
		copy(b, e.Alg)
		binary.LittleEndian.PutUint32(b[256:], e.Version.Uint32())
		copy(b[260:], e.Name)
		binary.LittleEndian.PutUint32(b[516:], uint32(e.Type))
		binary.LittleEndian.PutUint32(b[520:], uint32(e.Rank))
	}
	return dst, nil
}

func (n *Names) check() error {
	if n.ID > namesIDMask {
		return errors.New("the id exceeds 20 bits")
	}
	for _, s := range [...]struct{ what, text string }{{"DetType", n.DetType}, {"DetID", n.DetID}, {"alg name", n.Alg}} {
		if err := checkString(s.text); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	if n.Alg == "" {
		return errors.New("the alg name is empty")
	}
	if err := checkKey(n.DetName, ""); err != nil {
		return fmt.Errorf("DetName: %w", err)
	}
	if n.Bytes() > MaxExtent {
		return fmt.Errorf("%d entries are too many", len(n.Entries))
	}
	for i, e := range n.Entries {
		if err := e.check(); err != nil {
			return fmt.Errorf("entry %d %q: %w", i, e.Name, err)
		}
	}
	return nil
}

func (e *Name) check() error {
	if err := checkKey(e.Name, ".:"); err != nil {
		return err
	}
	if err := checkString(e.Alg); err != nil {
		return fmt.Errorf("alg name: %w", err)
	}
	switch {
	case !e.Type.Valid():
		return fmt.Errorf("data type %d is not known", uint32(e.Type))
	case e.Rank < 0 || e.Rank > maxWriteRank:
		return fmt.Errorf("rank %d is not in 0..%d", e.Rank, maxWriteRank)
	case e.Type == CharStr && e.Rank != 1:
		return fmt.Errorf("rank %d of a CHARSTR must be 1", e.Rank)
	}
	return nil
}

func checkString(s string) error {
	if len(s) >= stringBytes {
		return fmt.Errorf("%d bytes exceed %d", len(s), stringBytes-1)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return errors.New("a NUL byte is not allowed")
	}
	return nil
}

func checkKey(s, alsoAllowed string) error {
	if s == "" {
		return errors.New("the name is empty")
	}
	for _, c := range s {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' && c < 0x80
		if !letter && (c < '0' || c > '9') && c != '_' && !strings.ContainsRune(alsoAllowed, c) {
			return fmt.Errorf("character %q is not allowed", c)
		}
	}
	return checkString(s)
}

// NumArrays counts the entries with a rank above 0.
func (n *Names) NumArrays() int {
	arrays := 0
	for i := range n.Entries {
		if n.Entries[i].Rank > 0 {
			arrays++
		}
	}
	return arrays
}

// Bytes is the size of the Xtc.
func (n *Names) Bytes() int { return namesHeadBytes + nameBytes*len(n.Entries) }

// Index is that of the entry with this name, or -1.
func (n *Names) Index(entry string) int {
	for i := range n.Entries {
		if n.Entries[i].Name == entry {
			return i
		}
	}
	return -1
}
