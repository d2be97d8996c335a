package xtc

import "fmt"

// A Table holds the Names of the last Configure. The zero value is empty and ready.
type Table struct {
	layouts map[NamesID]*layout
	all     []*Names
}

// NewTable makes an empty one.
func NewTable() *Table { return &Table{layouts: make(map[NamesID]*layout)} }

// Configure replaces the contents by the Names in d, which need not be of service Configure, and checks the rest of d
// against them. Each Names must come before the ShapesData that use it. On an error the table stays as it was.
func (t *Table) Configure(d Dgram) error {
	if err := d.checkWhole(); err != nil {
		return err
	}
	fresh := NewTable()
	w := newWalker(d)
	var b Block
	for w.Next() {
		if err := fresh.configureFrom(&w, &b); err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	*t = *fresh
	return nil
}

func (t *Table) configureFrom(w *walker, b *Block) error {
	if w.header.Damage.Has(DamageCorrupted) {
		return nil
	}
	switch w.header.Type {
	case TypeParent:
		return nil
	case TypeShapesData:
		return b.parse(t, w.bytes(), w.off)
	case TypeNames:
		n, err := ParseNames(w.bytes())
		if err != nil {
			return Locate(err, "", 0, int64(w.off))
		}
		if err := t.Add(n); err != nil {
			return formatErrorf(w.off, "%v", err)
		}
		return nil
	}
	return formatErrorf(w.off, "unexpected %v in a datagram", w.header.Type)
}

// Add adds one Names. An id that is there already is an error. The table keeps n, which must not change any more.
func (t *Table) Add(n *Names) error {
	if old := t.Lookup(n.ID); old != nil {
		return fmt.Errorf("NamesID %v is defined twice, by %s %s and %s %s", n.ID, old.DetName, old.Alg, n.DetName,
			n.Alg)
	}
	for i := range n.Entries {
		if e := &n.Entries[i]; !e.Type.Valid() || e.Rank < 0 || e.Rank > MaxRank || e.Type == CharStr && e.Rank != 1 {
			return fmt.Errorf("Names %v: entry %q cannot be %v of rank %d", n.ID, e.Name, e.Type, e.Rank)
		}
	}
	if t.layouts == nil {
		t.layouts = make(map[NamesID]*layout)
	}
	t.layouts[n.ID] = newLayout(n)
	t.all = append(t.all, n)
	return nil
}

// Lookup gives the Names of an id, or nil.
func (t *Table) Lookup(id NamesID) *Names {
	if l := t.layouts[id]; l != nil {
		return l.names
	}
	return nil
}

// All gives the Names in file order.
func (t *Table) All() []*Names { return t.all }

// Find gives the Names of a detector and algorithm in file order: one per segment, or several where ids share them.
func (t *Table) Find(detName, alg string) []*Names {
	var found []*Names
	for _, n := range t.all {
		if n.DetName == detName && n.Alg == alg {
			found = append(found, n)
		}
	}
	return found
}

// FreeID gives the lowest free id of a node, below the indices the DRP has fixed.
func (t *Table) FreeID(node uint32) (NamesID, error) {
	for index := range uint32(IndexChunkInfo) {
		if id := NewNamesID(node, index); t.layouts[id] == nil {
			return id, nil
		}
	}
	return 0, fmt.Errorf("xtc: node %d has no NamesID left", node)
}

// Blocks walks over the ShapesData of a whole datagram.
func (t *Table) Blocks(d Dgram) Blocks {
	if err := d.checkWhole(); err != nil {
		return Blocks{t: t, err: err}
	}
	return Blocks{t: t, w: newWalker(d)}
}

// Structure checks a datagram completely against the table and appends its structural signature to sig: every Xtc
// header with damage and extent, and every shape as far as its rank goes, but no values. Two datagrams with equal
// signatures have each of their values at the same place. Nothing is allocated when sig has room; on an error what is
// returned is only good as scratch space.
func (t *Table) Structure(d Dgram, sig []byte) ([]byte, error) {
	if err := d.checkWhole(); err != nil {
		return sig, err
	}
	sig = append(sig, d[DgramHeaderBytes-XtcHeaderBytes:DgramHeaderBytes]...)
	w := newWalker(d)
	return t.structure(&w, sig)
}

func (t *Table) structure(w *walker, sig []byte) ([]byte, error) {
	var b Block
	for w.Next() {
		xtc := w.bytes()
		sig = append(sig, xtc[:XtcHeaderBytes]...)
		if w.header.Damage.Has(DamageCorrupted) {
			continue
		}
		switch w.header.Type {
		case TypeParent:
		case TypeShapesData:
			if err := b.parse(t, xtc, w.off); err != nil {
				return sig, err
			}
			sig = b.appendSignature(xtc, sig)
		case TypeNames:
			if err := checkNames(xtc); err != nil {
				return sig, Locate(err, "", 0, int64(w.off))
			}
		default:
			return sig, formatErrorf(w.off, "unexpected %v in a datagram", w.header.Type)
		}
	}
	return sig, w.err
}

// appendSignature adds the headers of the children and the shapes; xtc was parsed already.
func (b *Block) appendSignature(xtc, sig []byte) []byte {
	sig = append(sig, xtc[XtcHeaderBytes:2*XtcHeaderBytes]...)
	if b.second > 0 {
		sig = append(sig, xtc[b.second:b.second+XtcHeaderBytes]...)
	}
	for i := range b.layout.arrays {
		at := i * shapeBytes
		sig = append(sig, b.Shapes[at:at+4*int(b.layout.arrays[i].rank)]...)
	}
	return sig
}

// CheckBlocks is Structure for a bare run of ShapesData, as a fex makes it, with nothing else between them.
func (t *Table) CheckBlocks(b []byte, sig []byte) ([]byte, error) {
	var block Block
	it := NewIter(b)
	for it.Next() {
		xtc := it.Bytes()
		if t := it.Header().Type; t != TypeShapesData {
			return sig, formatErrorf(it.Offset(), "%v where only ShapesData may be", t)
		}
		sig = append(sig, xtc[:XtcHeaderBytes]...)
		if it.Header().Damage.Has(DamageCorrupted) {
			continue
		}
		if err := block.parse(t, xtc, it.Offset()); err != nil {
			return sig, err
		}
		sig = block.appendSignature(xtc, sig)
	}
	return sig, it.Err()
}
