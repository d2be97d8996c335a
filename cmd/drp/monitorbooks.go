package main

import (
	"fmt"
	"slices"
	"strings"

	"drp/xtc"
)

// endings finds the books of runs in their EndRun, for who prints what is watched.
type endings struct{ table *xtc.Table }

// books are those of a run, in their order.
type books struct {
	names  []string
	values map[string]int64
}

// of gives the books that a transition brings, nil if it brings none.
func (e *endings) of(d xtc.Dgram) *books {
	switch {
	case d.Service() == xtc.Configure:
		e.table = xtc.NewTable()
		if e.table.Configure(slices.Clone(d)) != nil {
			e.table = nil // who prints tells of transitions only, and a consumer that reads events finds out
		}
		return nil
	case d.Service() != xtc.EndRun || e.table == nil:
		return nil
	}
	var found *books // the last are those of this pass
	for it := e.table.Blocks(d); it.Next(); {
		b := it.Block()
		if b.Names.DetName != "drp" || b.Names.Alg != "books" {
			continue
		}
		found = &books{values: map[string]int64{}}
		for i := range b.Names.Entries {
			name := b.Names.Entries[i].Name
			found.names = append(found.names, name)
			found.values[name] = b.Field(i).Int64()
		}
	}
	return found
}

// String is a line of those that are not 0.
func (b *books) String() string {
	var words []string
	for _, name := range b.names {
		if v := b.values[name]; v != 0 || name == "received" {
			words = append(words, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), v))
		}
	}
	return strings.Join(words, ", ")
}
