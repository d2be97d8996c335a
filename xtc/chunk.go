package xtc

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// ChunkInfo finds in an Enable what the next file of the run is.
func ChunkInfo(t *Table, d Dgram) (filename string, id int, ok bool) {
	b, ok := findBlock(t, d, "chunkinfo")
	if !ok {
		return "", 0, false
	}
	name, okName := b.FieldNamed("filename")
	number, okID := b.FieldNamed("chunkid")
	return name.String(), int(number.Uint64()), okName && okID
}

// RunInfo finds in a BeginRun what experiment and run it begins.
func RunInfo(t *Table, d Dgram) (expt string, run int, ok bool) {
	b, ok := findBlock(t, d, "runinfo")
	if !ok {
		return "", 0, false
	}
	name, okName := b.FieldNamed("expt")
	number, okRun := b.FieldNamed("runnum")
	return name.String(), int(number.Uint64()), okName && okRun
}

// SetRun changes the number of the run in a datagram that has one.
func SetRun(t *Table, d Dgram, run int) {
	b, ok := findBlock(t, d, "runinfo")
	if !ok {
		return
	}
	if v, ok := b.FieldNamed("runnum"); ok && v.Type == UInt32 && len(v.Data) == 4 {
		binary.LittleEndian.PutUint32(v.Data, uint32(run))
	}
}

func findBlock(t *Table, d Dgram, detName string) (Block, bool) {
	for it := t.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names.DetName == detName && b.Names.Alg == detName {
			return *b, true
		}
	}
	return Block{}, false
}

// ReadConfigure makes a Table from the Configure a file begins with.
func ReadConfigure(path string) (*Table, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d, err := r.Next()
	if err != nil {
		return nil, startError(path, err)
	}
	if d.Service() != Configure {
		return nil, fmt.Errorf("xtc: %s: starts with %v and has no Configure", path, d.Service())
	}
	t := NewTable()
	if d, err = r.ReadDgram(nil); err == nil {
		err = Locate(t.Configure(d), path, 1, 0)
	}
	return t, err
}

// startError makes an error of io.EOF where a first datagram must be.
func startError(path string, err error) error {
	if err == io.EOF {
		return fmt.Errorf("xtc: %s: no datagram is in it", path)
	}
	return err
}

// OpenWithNames opens a file for reading from its first datagram, together with the Names to understand it by: those of
// its own Configure, or for a later chunk those of the file configure, or, if that is empty, of the first chunk beside
// it. A Table must be configured anew by the caller when another Configure comes.
func OpenWithNames(path, configure string) (*Reader, *Table, error) {
	r, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	var t *Table
	d, err := r.Next()
	if err == nil {
		t, err = r.names(configure, d.Service())
	}
	if err == nil {
		err = r.Rewind()
	}
	if err != nil {
		r.Close()
		return nil, nil, startError(path, err)
	}
	return r, t, nil
}

// names finds the Names for a file that starts with the given service.
func (r *Reader) names(configure string, service TransitionID) (*Table, error) {
	switch {
	case service == Configure:
		return ReadConfigure(r.path)
	case configure != "":
		return ReadConfigure(configure)
	}
	first, err := FindFirstChunk(r.path)
	if err != nil {
		return nil, fmt.Errorf("xtc: %s: starts with %v and has no Configure: it looks like a later chunk of a run; "+
			"name the first chunk with --configure (%w)", r.path, service, err)
	}
	return ReadConfigure(first)
}

// FindFirstChunk finds the first chunk of the run that a later chunk belongs to: the one file in the same folder with
// the same stream and chunk 0 whose chunkinfo leads to this file, directly or over the chunks between.
func FindFirstChunk(path string) (string, error) {
	name, ok := ParseFileName(path)
	if !ok {
		return "", fmt.Errorf("%s is not named <expt>-r0000-s000-c000.xtc2", filepath.Base(path))
	}
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		c, ok := ParseFileName(e.Name())
		candidate := filepath.Join(dir, e.Name())
		if ok && c.Chunk == 0 && c.Stream == name.Stream && leadsTo(candidate, filepath.Base(path)) {
			found = append(found, candidate)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no first chunk beside it names %s as its continuation", filepath.Base(path))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%d first chunks beside it name %s as their continuation", len(found), filepath.Base(path))
}

// leadsTo follows the chunkinfo from one file to the next.
func leadsTo(first, target string) bool {
	t, err := ReadConfigure(first)
	if err != nil {
		return false
	}
	seen := []string{filepath.Base(first)}
	for {
		next := nextChunk(filepath.Join(filepath.Dir(first), seen[len(seen)-1]), t)
		if next == target {
			return true
		}
		if next == "" || slices.Contains(seen, next) {
			return false
		}
		seen = append(seen, next)
	}
}

// nextChunk gives the file name in the last chunkinfo of a file, or nothing. A name with folders in it is not followed.
func nextChunk(path string, t *Table) (next string) {
	_, err := scan(path, func(h *headerScanner, d Dgram) error {
		if d.Service() != Enable || d.Size() == DgramHeaderBytes {
			return nil
		}
		whole, err := h.whole(d)
		if err != nil {
			return err
		}
		if name, _, ok := ChunkInfo(t, whole); ok && name == filepath.Base(name) {
			next = name
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return next
}

// ChunkInfoNames describes what an Enable says of the next chunk, as the DAQ does.
func ChunkInfoNames(id NamesID) *Names {
	return &Names{ID: id, DetType: "chunkinfo", DetName: "chunkinfo", Alg: "chunkinfo", Version: Version{Micro: 1},
		Entries: []Name{{Name: "filename", Type: CharStr, Rank: 1}, {Name: "chunkid", Type: UInt32}}}
}

// FindChunkInfo gives the Names of chunkinfo that a Configure declared, or nil if there are none that can be filled.
func FindChunkInfo(t *Table) *Names {
	for _, n := range t.Find("chunkinfo", "chunkinfo") {
		if len(n.Entries) == 2 && n.Index("filename") >= 0 && n.Index("chunkid") >= 0 {
			return n
		}
	}
	return nil
}

// AppendChunkInfo appends the block that names the next chunk; n is what FindChunkInfo gave.
func AppendChunkInfo(dst []byte, n *Names, filename string, id int) ([]byte, error) {
	var b Builder
	b.Begin(dst, n)
	for _, e := range n.Entries {
		if e.Name == "filename" {
			b.Text(filename)
		} else {
			b.Uint(uint64(id))
		}
	}
	return b.End()
}
