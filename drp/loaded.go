package drp

import (
	"fmt"

	"drp/xtc"
)

// loaded is which scripts are used from a transition on, as it is recorded: at each BeginRun, and where it changes in a run.
type loaded struct {
	sha256, post string
	generation   uint32
}

// The Names of what is recorded of it.
const loadedAlg = "script"

var loadedEntries = []xtc.Name{{Name: "sha256", Type: xtc.CharStr, Rank: 1}, {Name: "post_sha256", Type: xtc.CharStr, Rank: 1},
	{Name: "generation", Type: xtc.UInt32}}

// loaded says what a transition tells of the scripts, nil if nothing.
func (l *reloads) loaded(id xtc.TransitionID, implied, swapped bool) *loaded {
	pause := l.pausing && (id == xtc.Disable || id == xtc.Enable) // both are recorded, also where the text stays
	if !swapped && (id != xtc.BeginRun || implied) && !pause {
		return nil
	}
	return &loaded{sha256: l.used[0].sha256, post: l.used[1].sha256, generation: l.generation}
}

// declareLoaded appends the Names to what a script declares, where the books are declared, too.
func (c *collector) declareLoaded(src uint32, declared []byte) []byte {
	c.loading.names = nil
	if c.account.names == nil || c.script == "" {
		return declared
	}
	n := &xtc.Names{DetName: booksDetector, DetType: booksDetector, Alg: loadedAlg, Version: xtc.Version{Major: 1},
		Segment: c.freeSegment(c.table, booksDetector, loadedAlg), Entries: loadedEntries}
	with, err := declared, error(nil)
	if n.ID, err = c.table.FreeID(src & 0xfff); err == nil {
		if with, err = n.AppendTo(declared); err == nil {
			err = c.table.Add(n)
		}
	}
	if err != nil {
		c.cfg.Log.Warn(fmt.Sprintf("which text of the script was used will not be in the file: %v", err))
		return declared
	}
	c.loading.names = n
	return with
}

// tellLoaded appends the block to what is added to a transition that tells of the scripts.
func (c *collector) tellLoaded(of *detail, added []byte) ([]byte, bool) {
	if of.loaded == nil || c.loading.names == nil {
		return added, false
	}
	var b xtc.Builder
	b.Begin(added, c.loading.names)
	b.Text(of.loaded.sha256)
	b.Text(of.loaded.post)
	b.Uint(uint64(of.loaded.generation))
	with, err := b.End()
	if err != nil { // the names are our own
		panic(err)
	}
	return with, true
}
