package xtc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

func FuzzReader(f *testing.F) {
	var file []byte
	for _, d := range dgrams(2) {
		file = append(file, d...)
	}
	f.Add(file)
	f.Add(file[:len(file)-7])
	f.Add(file[3000:])
	addRandomFiles(f)
	path := filepath.Join(f.TempDir(), "fuzz.xtc2")
	f.Fuzz(func(t *testing.T, b []byte) {
		noHang(t)
		checkReading(t, b, xtc.NewReader(bytes.NewReader(b), "sized"))
		checkReading(t, b, xtc.NewReader(bytes.NewBuffer(b), "stream"))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Skip(err)
		}
		// Twice the input is the datagram and a copy; the rest are buffers, of which each reader has one.
		if used := allocated(func() { readWhole(xtc.NewReader(bytes.NewReader(b), "")) }); used > uint64(2*len(b))+256<<10 {
			t.Errorf("%d bytes were allocated to read %d", used, len(b))
		}
		// What is allocated in all is far more than what is held; it must grow with the input and nothing else.
		used := allocated(func() {
			_, _ = xtc.Scan(path)
			_, _ = xtc.Ls(path)
		})
		if used > uint64(20*len(b))+2<<20 {
			t.Errorf("%d bytes were allocated to list %d", used, len(b))
		}
		r, err := xtc.Check(path, xtc.CheckOptions{})
		if err == nil && r.OK() && r.Explained != int64(len(b)) {
			t.Errorf("a good file with %d of %d bytes explained", r.Explained, len(b))
		}
		_ = xtc.Dump(io.Discard, path, xtc.DumpOptions{})
		_ = xtc.Dump(io.Discard, path, xtc.DumpOptions{JSON: true})
	})
}

// checkReading reads all there is; what was read must be what the input begins with.
func checkReading(t *testing.T, b []byte, r *xtc.Reader) {
	t.Helper()
	var all []byte
	for {
		_, err := r.Next()
		var d xtc.Dgram
		if err == nil {
			d, err = r.ReadDgram(nil)
		}
		var cut *xtc.TruncatedError
		var format *xtc.FormatError
		switch {
		case err == nil:
			all = append(all, d...)
			continue
		case err == io.EOF:
			if len(all) != len(b) {
				t.Fatalf("EOF after %d of %d bytes", len(all), len(b))
			}
		case errors.As(err, &cut):
			if cut.Offset+cut.Leftover != int64(len(b)) {
				t.Fatalf("%+v of %d bytes", cut, len(b))
			}
		case !errors.As(err, &format):
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, all) {
			t.Fatal("other bytes were read than are there")
		}
		return
	}
}

// addRandomFiles seeds with what our writer does not make.
func addRandomFiles(f *testing.F) {
	for seed := range uint64(8) {
		random := newRandomFile(rand.New(rand.NewPCG(seed, 2)))
		f.Add(random.b)
		f.Add(random.broken())
	}
}

// noHang ends the test program, and with it the fuzzer, when a test does not end.
func noHang(t *testing.T) {
	late := time.AfterFunc(testkit.Patience, func() { panic("a hang") })
	t.Cleanup(func() { late.Stop() })
}

func readWhole(r *xtc.Reader) {
	for {
		if _, err := r.Next(); err != nil {
			return
		}
		if _, err := r.ReadDgram(nil); err != nil {
			return
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add(must(cameraNames().AppendTo(nil)))
	f.Add(must(runInfoNames().AppendTo(nil)))
	f.Fuzz(func(t *testing.T, b []byte) { roundTripNames(t, b) })
}

func FuzzStructure(f *testing.F) {
	dg := dgrams(1)
	nested := dgram(xtc.L1Accept, 9, dg[4][12:])
	for _, d := range []xtc.Dgram{dg[0], dg[1], dg[4], nested} {
		f.Add([]byte(dg[0]), []byte(d))
	}
	f.Fuzz(func(t *testing.T, configure, event []byte) {
		table := xtc.NewTable()
		if table.Configure(configure) != nil {
			if err := table.Configure(dg[0]); err != nil {
				t.Fatal(err)
			}
		}
		_, err := table.Structure(event, nil)
		it := table.Blocks(event)
		for it.Next() {
			b := it.Block()
			for i := range b.Names.Entries {
				v := b.Field(i)
				_ = v.String()
				if v.Len() > 0 {
					_ = v.FloatAt(v.Len() - 1)
				}
			}
		}
		if err == nil && it.Err() != nil {
			t.Fatalf("Structure is content, Blocks is not: %v", it.Err())
		}
		var format *xtc.FormatError
		if err != nil && !errors.As(err, &format) {
			t.Fatal(err)
		}
		_, _ = table.CheckBlocks(event, nil)
	})
}

// allocated tells how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileExtents announces what is not there.
func TestHostileExtents(t *testing.T) {
	const constant = 8 << 20 // a read buffer or two, and steps of reading from a stream
	huge := func(d xtc.Dgram, at int, v uint32) xtc.Dgram {
		d = bytes.Clone(d)
		binary.LittleEndian.PutUint32(d[at:], v)
		return d
	}
	dg := dgrams(1)
	table := xtc.NewTable()
	if err := table.Configure(dg[0]); err != nil {
		t.Fatal(err)
	}
	event, names := dg[4], dg[0]
	tests := map[string]xtc.Dgram{
		"datagram 2 GiB":     huge(event, 20, xtc.MaxExtent),
		"datagram 4 GiB":     huge(event, 20, 1<<32-1),
		"datagram 0":         huge(event, 20, 0),
		"ShapesData 4 GiB":   huge(event, 32, 1<<32-1),
		"ShapesData 0":       huge(event, 32, 0),
		"ShapesData 11":      huge(event, 32, 11),
		"Shapes 2 GiB":       huge(event, 44, 1<<31),
		"Shapes 0":           huge(event, 44, 0),
		"shape 2^32 - 1":     huge(huge(event, 48, 1<<32-1), 52, 1<<32-1),
		"unknown NamesID":    huge(event, 24, 77),
		"Names of 4 GiB":     huge(names, 32, 1<<32-1),
		"Names of odd size":  huge(names, 32, 1048+523),
		"Names with arrays":  huge(names, 36, 1<<31),
		"entry of rank 2^31": huge(names, 24+1048+520, 1<<31),
		"entry of type 13":   huge(names, 24+1048+516, 13),
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			used := allocated(func() {
				for _, r := range []*xtc.Reader{xtc.NewReader(bytes.NewReader(d), ""), xtc.NewReader(bytes.NewBuffer(d), "")} {
					if _, err := r.Next(); err == nil {
						_, _ = r.ReadDgram(nil)
					}
				}
				fresh := xtc.NewTable()
				if d.Service() == xtc.Configure {
					if err := fresh.Configure(d); err == nil {
						t.Error("the table took it")
					}
				}
				if _, err := table.Structure(d, nil); err == nil {
					t.Error("Structure took it")
				}
			})
			if used > constant {
				t.Errorf("%d bytes were allocated", used)
			}
		})
	}
}

// TestNested goes to the limit of nested Parents and beyond.
func TestNested(t *testing.T) {
	dg := dgrams(1)
	table := xtc.NewTable()
	if err := table.Configure(dg[0]); err != nil {
		t.Fatal(err)
	}
	d := dg[4]
	for depth := range xtc.MaxDepth + 2 {
		_, err := table.Structure(d, nil)
		if ok := depth <= xtc.MaxDepth; ok != (err == nil) {
			t.Errorf("depth %d: %v", depth, err)
		}
		n := 0
		it := table.Blocks(d)
		for it.Next() {
			n++
		}
		if depth <= xtc.MaxDepth && (n != 1 || it.Err() != nil) {
			t.Errorf("depth %d: %d blocks, %v", depth, n, it.Err())
		}
		d = dgram(xtc.L1Accept, 1, d[12:])
	}
	corrupted := dgram(xtc.L1Accept, 1, dg[4][12:])
	corrupted[28] = byte(xtc.DamageCorrupted)
	corrupted[40] = 0xff // what is inside makes no sense any more
	if got := blocks(t, table, corrupted); len(got) != 0 {
		t.Error("a corrupted container was looked into")
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("data-r0001-s000-c001.xtc2")
	f.Add("smalldata/xpptut15-r0014-s000-c000.smd.xtc2.inprogress")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := xtc.ParseFileName(s)
		if !ok {
			return
		}
		for _, again := range []string{n.Data(), n.SmallData()} {
			if m, ok := xtc.ParseFileName(again); !ok || m != n {
				t.Errorf("%q gave %+v, %q gave %+v", s, n, again, m)
			}
		}
	})
}
