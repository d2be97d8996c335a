package xtc_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"drp/xtc"
)

// noAllocs fails if f allocates in the steady state.
func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(1000, f); n != 0 {
		t.Errorf("%s allocates %v times", what, n)
	}
}

func TestNoAllocs(t *testing.T) {
	table := xtc.NewTable()
	dg := dgrams(1)
	if err := table.Configure(dg[0]); err != nil {
		t.Fatal(err)
	}
	event := dg[4]
	sig := make([]byte, 0, 4096)
	noAllocs(t, "Structure", func() {
		sig, _ = table.Structure(event, sig[:0])
	})
	noAllocs(t, "CheckBlocks", func() {
		sig, _ = table.CheckBlocks(event.Payload(), sig[:0])
	})
	noAllocs(t, "Blocks", func() {
		it := table.Blocks(event)
		for it.Next() {
			if v, ok := it.Block().FieldNamed("gain"); !ok || v.Float64() != 1.5 {
				t.Error("the gain is wrong")
			}
		}
	})
	names, buf := cameraNames(), make([]byte, 4096)
	noAllocs(t, "Builder", func() {
		xtc.PutDgramHeader(buf, 1, xtc.EnvOf(xtc.L1Accept, 1), 3, 0, 0)
		var b xtc.Builder
		b.Begin(buf[:xtc.DgramHeaderBytes], names)
		b.Uint(1)
		copy(b.Array(2, 3), "pixels")
		b.Float(1)
		b.Text("note")
		b.Int(-1)
		d, err := b.End()
		if err != nil {
			t.Error(err)
		}
		xtc.Dgram(d).SetSize(len(d))
	})
}

func TestReaderNoAllocs(t *testing.T) {
	file := bytes.Repeat(dgrams(1)[4], 3000)
	r := xtc.NewReader(bytes.NewReader(file), "memory")
	slot := make([]byte, 4096)
	noAllocs(t, "ReadInto", func() {
		if _, err := r.Next(); err != nil {
			t.Error(err)
		}
		if _, err := r.ReadInto(slot); err != nil {
			t.Error(err)
		}
	})
	noAllocs(t, "Skip", func() {
		if _, err := r.Next(); err != nil {
			t.Error(err)
		}
	})
}

func TestWriterNoAllocs(t *testing.T) {
	dg := dgrams(1)
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	defer w.Abort()
	if err := w.Append(dg[0]); err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 20<<10)
	noAllocs(t, "AppendParts", func() {
		var hdr [xtc.DgramHeaderBytes]byte
		xtc.PutDgramHeader(hdr[:], 1, xtc.EnvOf(xtc.L1Accept, 1), 3, 0, 0)
		if err := w.AppendParts(hdr[:], dg[4].Payload(), large); err != nil {
			t.Error(err)
		}
	})
	noAllocs(t, "Append", func() {
		if err := w.Append(dg[4]); err != nil {
			t.Error(err)
		}
	})
	noAllocs(t, "Flush", func() {
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkStructure(b *testing.B) {
	table, dg, sig := xtc.NewTable(), dgrams(1), []byte(nil)
	if err := table.Configure(dg[0]); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dg[4])))
	b.ReportAllocs()
	for b.Loop() {
		sig, _ = table.Structure(dg[4], sig[:0])
	}
}

func BenchmarkBlocks(b *testing.B) {
	table, dg := xtc.NewTable(), dgrams(1)
	if err := table.Configure(dg[0]); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(dg[4])))
	b.ReportAllocs()
	for b.Loop() {
		for it := table.Blocks(dg[4]); it.Next(); {
			_ = it.Block().Field(2)
		}
	}
}

func BenchmarkReadInto(b *testing.B) {
	for _, size := range []int{100, 1 << 20} {
		b.Run(map[int]string{100: "100B", 1 << 20: "1MiB"}[size], func(b *testing.B) {
			d := dgram(xtc.L1Accept, 1, make([]byte, size))
			r := xtc.NewReader(bytes.NewReader(bytes.Repeat(d, max(1, 4<<20/len(d)))), "memory")
			slot := make([]byte, len(d))
			b.SetBytes(int64(len(d)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err == io.EOF {
					_ = r.Rewind()
					_, _ = r.Next()
				}
				if _, err := r.ReadInto(slot); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendParts(b *testing.B) {
	const fileBytes = 256 << 20 // then a new file, so that a long benchmark does not fill the disk
	dg := dgrams(1)
	var w *xtc.Writer
	hdr, payload := dg[4][:xtc.DgramHeaderBytes], dg[4].Payload()
	b.SetBytes(int64(len(dg[4])))
	b.ReportAllocs()
	for b.Loop() {
		if w == nil || w.Bytes() > fileBytes {
			w = renew(b, w, dg[0])
		}
		if err := w.AppendParts(hdr, payload); err != nil {
			b.Fatal(err)
		}
	}
	_ = w.Abort()
}

// renew leaves a writer and its files and begins others.
func renew(b *testing.B, old *xtc.Writer, configure xtc.Dgram) *xtc.Writer {
	if old != nil {
		_ = old.Abort()
		for _, path := range old.Files() {
			_ = os.Remove(path + ".inprogress")
		}
	}
	w, err := xtc.Create(b.TempDir(), xtc.FileName{Expt: "e"})
	if err == nil {
		err = w.Append(configure)
	}
	if err != nil {
		b.Fatal(err)
	}
	return w
}
