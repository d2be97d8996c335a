package drp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"drp/fex"
	"drp/xtc"
)

// The operations by which workers' contributions to one transition become one; see docs/formats.md.
const (
	mergeSum = 1
	mergeMax = 2
	mergeMin = 3
)

// declarations checks what the children declared at a Configure, adds the Names to the table of everything and to that
// of the script's own, and gives the bytes to record. Every child runs the same script on the same Configure, so all
// must say the same.
func declarations(table, own *xtc.Table, answers []fex.Answer) ([]byte, error) {
	first := answers[0].Blocks()
	for worker, a := range answers {
		if !bytes.Equal(a.Blocks(), first) {
			return nil, fmt.Errorf("the script declares other things in worker %d than in worker 0: what add_detector "+
				"and add_data get at Configure must not depend on the worker, the time or chance", worker)
		}
	}
	blocks := len(first)
	it := xtc.NewIter(first)
	for it.Next() {
		if it.Header().Type != xtc.TypeNames {
			blocks = it.Offset()
			break
		}
		names, err := xtc.ParseNames(it.Bytes())
		if err != nil {
			return nil, fmt.Errorf("the script's declaration makes no sense: %w", err)
		}
		if err = table.Add(names); err == nil {
			err = own.Add(names)
		}
		if err != nil {
			return nil, fmt.Errorf("the script's declaration of %s %s: %w", names.DetName, names.Alg, err)
		}
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("the script's declaration makes no sense: %w", err)
	}
	if _, err := own.CheckBlocks(first[blocks:], nil); err != nil {
		return nil, fmt.Errorf("what the script adds to Configure makes no sense: %w", err)
	}
	return first, nil
}

// merge makes one contribution to a transition of those of all workers: blocks of equal NamesId are combined element by
// element where the script asked for it; otherwise the lowest worker's is taken.
func merge(table *xtc.Table, answers []fex.Answer) ([]byte, error) {
	var merged []byte
	places := map[xtc.NamesID]xtc.Dgram{} // where a NamesId's block stands in merged
	operations := map[xtc.NamesID]uint32{}
	for _, a := range answers {
		for pair := range slices.Chunk(a.Side(), 2) {
			if len(pair) == 2 {
				operations[xtc.NamesID(pair[0])] = pair[1]
			}
		}
	}
	total := 0
	for _, a := range answers {
		total += len(a.Blocks())
	}
	merged = make([]byte, 0, total) // never grows, so places stay valid
	for worker, a := range answers {
		if _, err := table.CheckBlocks(a.Blocks(), nil); err != nil {
			return nil, fmt.Errorf("what the script added in worker %d makes no sense: %w", worker, err)
		}
		it := xtc.NewIter(a.Blocks())
		for it.Next() {
			if it.Header().Damage.Has(xtc.DamageCorrupted) { // nobody has looked into it
				return nil, fmt.Errorf("worker %d: a block of the script is marked Corrupted", worker)
			}
			id := it.Header().NamesID()
			into, there := places[id]
			if !there {
				at := len(merged)
				merged = append(merged, it.Bytes()...)
				places[id] = merged[at:]
				continue
			}
			if op := operations[id]; op > mergeMin {
				return nil, fmt.Errorf("worker %d: %d is no way to merge", worker, op)
			} else if op != 0 {
				if err := combine(table.Lookup(id), op, into, it.Bytes()); err != nil {
					return nil, fmt.Errorf("worker %d: %w", worker, err)
				}
			}
		}
	}
	return merged, nil
}

// combine works from's values into those of a block of the same Names. Their shapes must be equal.
func combine(names *xtc.Names, op uint32, into, from []byte) error {
	a, b := xtc.NewIter(into[xtc.XtcHeaderBytes:]), xtc.NewIter(from[xtc.XtcHeaderBytes:])
	for a.Next() && b.Next() {
		if !bytes.Equal(a.Bytes()[:xtc.XtcHeaderBytes], b.Bytes()[:xtc.XtcHeaderBytes]) ||
			!bytes.Equal(shapesOf(into), shapesOf(from)) {
			return fmt.Errorf("%s %s has another shape than in the workers before, so it cannot be merged",
				names.DetName, names.Alg)
		}
		if a.Header().Type == xtc.TypeData {
			return combineData(names, op, into, a.Payload(), b.Payload())
		}
	}
	return fmt.Errorf("%s %s has no data", names.DetName, names.Alg)
}

func combineData(names *xtc.Names, op uint32, block, into, from []byte) error {
	shapes := shapesOf(block)
	at := 0
	for _, e := range names.Entries {
		count := 1
		if e.Rank > 0 {
			for i := range e.Rank {
				count *= int(binary.LittleEndian.Uint32(shapes[4*i:]))
			}
			shapes = shapes[4*xtc.MaxRank:]
		}
		size := e.Type.Bytes()
		if e.Type != xtc.CharStr {
			for i := at; i < at+count*size; i += size {
				combineElement(e.Type, op, into[i:i+size], from[i:i+size])
			}
		}
		at += count * size
	}
	return nil
}

func shapesOf(block []byte) []byte {
	it := xtc.NewIter(block[xtc.XtcHeaderBytes:])
	for it.Next() {
		if it.Header().Type == xtc.TypeShapes {
			return it.Payload()
		}
	}
	return nil
}

// combineElement works one element into another.
func combineElement(t xtc.DataType, op uint32, into, from []byte) {
	switch t {
	case xtc.Float:
		a := math.Float32frombits(binary.LittleEndian.Uint32(into))
		b := math.Float32frombits(binary.LittleEndian.Uint32(from))
		binary.LittleEndian.PutUint32(into, math.Float32bits(choose(op, a, b)))
	case xtc.Double:
		a := math.Float64frombits(binary.LittleEndian.Uint64(into))
		b := math.Float64frombits(binary.LittleEndian.Uint64(from))
		binary.LittleEndian.PutUint64(into, math.Float64bits(choose(op, a, b)))
	case xtc.UInt8, xtc.UInt16, xtc.UInt32, xtc.UInt64:
		putInteger(into, choose(op, integer(into), integer(from)))
	default:
		shift := 64 - 8*len(into) // sign extension
		a, b := int64(integer(into)<<shift)>>shift, int64(integer(from)<<shift)>>shift
		putInteger(into, uint64(choose(op, a, b)))
	}
}

func choose[T float32 | float64 | uint64 | int64](op uint32, a, b T) T {
	switch op {
	case mergeMax:
		return max(a, b)
	case mergeMin:
		return min(a, b)
	}
	return a + b
}

func integer(b []byte) uint64 {
	var v [8]byte
	copy(v[:], b)
	return binary.LittleEndian.Uint64(v[:])
}

func putInteger(dst []byte, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(dst, b[:])
}
