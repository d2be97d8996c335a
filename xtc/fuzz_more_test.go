package xtc_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"drp/xtc"
)

// FuzzBlocks checks what a script's process may have put into its result area.
func FuzzBlocks(f *testing.F) {
	n := cameraNames()
	one := cameraBlock(nil, n, 1)
	f.Add(one)
	f.Add(cameraBlock(bytes.Clone(one), n, 2))
	f.Add(one[:len(one)-1])
	f.Add([]byte{})
	table := xtc.NewTable()
	if err := table.Add(n); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		sig, err := table.CheckBlocks(b, nil)
		if !bytes.Equal(b, before) {
			t.Error("the area was changed")
		}
		if len(sig) > 2*len(b) {
			t.Errorf("a signature of %d bytes for %d", len(sig), len(b))
		}
		_, whole := table.Structure(dgram(xtc.L1Accept, 1, b), nil)
		if err == nil && whole != nil {
			t.Errorf("as blocks it is good, as a datagram not: %v", whole)
		}
		var format *xtc.FormatError
		if err != nil && !errors.As(err, &format) {
			t.Fatal(err)
		}
		if err != nil && (format.Offset < 0 || format.Offset > int64(len(b))) {
			t.Errorf("the fault is at %d of %d bytes", format.Offset, len(b))
		}
	})
}

// FuzzChunks checks a later chunk of any bytes with small data of any bytes, beside a first chunk of any bytes.
func FuzzChunks(f *testing.F) {
	first, second, small := chunks()
	f.Add(first, second, small)
	f.Add(first, second, first)
	f.Add(first, second, small[:len(small)/2])
	dir := f.TempDir()
	name, later := xtc.FileName{Expt: "test", Run: 1}, xtc.FileName{Expt: "test", Run: 1, Chunk: 1}
	smallPath := filepath.Join(dir, name.SmallData())
	if err := os.Mkdir(filepath.Dir(smallPath), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second, smd []byte) {
		noHang(t)
		paths := []string{filepath.Join(dir, name.Data()), filepath.Join(dir, later.Data()), smallPath}
		for i, b := range [][]byte{first, second, smd} {
			if err := os.WriteFile(paths[i], b, 0o600); err != nil {
				t.Skip(err)
			}
		}
		for _, path := range paths {
			if found, err := xtc.FindFirstChunk(path); err == nil && found != paths[0] {
				t.Errorf("the first chunk of %s is %s", path, found)
			}
			for _, o := range []xtc.CheckOptions{{}, {Configure: paths[0], SmallData: smallPath}} {
				r, err := xtc.Check(path, o)
				if err == nil && r.OK() && r.Explained != r.Bytes {
					t.Errorf("a good file with %d of %d bytes explained", r.Explained, r.Bytes)
				}
			}
			_, _ = xtc.Ls(path)
			_ = xtc.Dump(io.Discard, path, xtc.DumpOptions{Configure: paths[0], JSON: true})
		}
	})
}

// chunks are a file, the one it goes on in, and the small data of both.
func chunks() (first, second, small []byte) {
	chunk := &xtc.Names{ID: 0x3fc, DetType: "chunkinfo", DetName: "chunkinfo", Alg: "chunkinfo",
		Entries: []xtc.Name{{Name: "filename", Type: xtc.CharStr, Rank: 1}, {Name: "chunkid", Type: xtc.UInt32}}}
	offsets := &xtc.Names{ID: 0x3fe, DetType: "offset", DetName: "smdinfo", Alg: "offsetAlg",
		Entries: []xtc.Name{{Name: "intOffset", Type: xtc.UInt64}, {Name: "intDgramSize", Type: xtc.UInt64}}}
	var b xtc.Builder
	b.Begin(nil, chunk)
	b.Text("test-r0001-s000-c001.xtc2")
	b.Uint(1)
	next := dgram(xtc.Enable, 6, must(b.End()))
	run := dgrams(2)
	configure := must(chunk.AppendTo(run[0].Payload()))
	pointer := func(d xtc.Dgram, at int) []byte {
		b.Begin(nil, offsets)
		b.Uint(uint64(at))
		b.Uint(uint64(len(d)))
		return dgram(xtc.L1Accept, d.Time(), must(b.End()))
	}
	first = dgram(xtc.Configure, 1, configure)
	small = dgram(xtc.Configure, 1, must(offsets.AppendTo(configure)))
	for _, d := range run[1:4] {
		first, small = append(first, d...), append(small, d...)
	}
	small = append(small, pointer(run[4], len(first))...)
	first = append(append(first, run[4]...), next...)
	run[5].SetTime(7)
	small = append(append(small, next...), pointer(run[5], 0)...)
	second = append(second, run[5]...)
	for i, d := range run[6:] {
		d.SetTime(uint64(8 + i))
		second, small = append(second, d...), append(small, d...)
	}
	return first, second, small
}

// writeChunks writes them under the names of a run and of its chunk number later.
func writeChunks(t *testing.T, later int, first, second, small []byte) (one, two, smd string) {
	t.Helper()
	dir := t.TempDir()
	name := xtc.FileName{Expt: "test", Run: 1}
	one, smd = filepath.Join(dir, name.Data()), filepath.Join(dir, name.SmallData())
	name.Chunk = later
	two = filepath.Join(dir, name.Data())
	if err := errors.Join(os.Mkdir(filepath.Dir(smd), 0o700), os.WriteFile(one, first, 0o600),
		os.WriteFile(two, second, 0o600), os.WriteFile(smd, small, 0o600)); err != nil {
		t.Fatal(err)
	}
	return one, two, smd
}

func TestChunksAreGood(t *testing.T) {
	first, second, small := chunks()
	one, two, _ := writeChunks(t, 1, first, second, small)
	for _, path := range []string{one, two} {
		r, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !r.OK() || len(r.Warnings) > 0 || r.SmallData == nil || r.SmallData.Events != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// TestSmallDataThatEndsWithAnotherChunk has small data whose last datagram announces a chunk, but not the one asked for.
func TestSmallDataThatEndsWithAnotherChunk(t *testing.T) {
	first, second, small := chunks()
	end := bytes.Index(small, []byte("c001.xtc2")) + len("c001.xtc2") + 3 + 4 // the end of the string, and the id
	one, two, smd := writeChunks(t, 7, first, second, small[:end])
	noHang(t)
	_, err := xtc.Check(two, xtc.CheckOptions{SmallData: smd, Configure: one})
	if err == nil || !strings.Contains(err.Error(), "no chunkinfo names") {
		t.Error(err)
	}
}

// heapWatch finds out how much memory is held while something is written.
type heapWatch struct {
	writes       int
	before, most uint64
}

func (h *heapWatch) held() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (h *heapWatch) Write(b []byte) (int, error) {
	if h.writes++; h.writes%500 == 0 {
		h.most = max(h.most, h.held())
	}
	return len(b), nil
}

// TestDumpHoldsOneBlock dumps many small blocks with many fields.
func TestDumpHoldsOneBlock(t *testing.T) {
	n := &xtc.Names{ID: 7, DetType: "t", DetName: "d", Alg: "raw"}
	for range 500 {
		n.Entries = append(n.Entries, xtc.Name{Name: "v", Type: xtc.UInt8})
	}
	var payload []byte
	for range 1000 {
		var b xtc.Builder
		b.Begin(payload, n)
		for range n.Entries {
			b.Uint(1)
		}
		payload = must(b.End())
	}
	path := filepath.Join(t.TempDir(), "a.xtc2")
	file := append(dgram(xtc.Configure, 1, must(n.AppendTo(nil))), dgram(xtc.L1Accept, 2, payload)...)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		watch := &heapWatch{}
		watch.before = watch.held()
		if err := xtc.Dump(watch, path, xtc.DumpOptions{JSON: asJSON}); err != nil {
			t.Fatal(err)
		}
		if watch.writes < 500 || watch.most > watch.before+2*uint64(len(file))+4<<20 {
			t.Errorf("JSON %v: %d bytes are held after %d for a file of %d", asJSON, watch.most, watch.before, len(file))
		}
	}
}
