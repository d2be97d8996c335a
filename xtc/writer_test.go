package xtc_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/xtc"
)

// TestWorkedExample builds the datagrams of the example in the format description.
func TestWorkedExample(t *testing.T) {
	epix := &xtc.Names{ID: 0x103, Segment: 2, Entries: []xtc.Name{{Name: "calib", Type: xtc.Float, Rank: 2}},
		DetType: "epix", DetName: "epix", DetID: "", Alg: "raw", Version: xtc.Version{}}
	info := runInfoNames()
	info.ID = 0x101
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text("xpptut15")
	b.Uint(1)
	got := must(b.End())
	want := must(hex.DecodeString(strings.ReplaceAll("01010000 0000 0100 48000000 00000000 0000 0200 20000000 "+
		"0c000000 00000000 00000000 00000000 00000000 00000000 0000 0300 1c000000 "+
		"7870707475743135 00000000 01000000", " ", "")))
	if !bytes.Equal(got, want) {
		t.Errorf("BeginRun is\n%x, want\n%x", got, want)
	}
	b.Begin(nil, epix)
	b.Array(2, 2)
	event := must(b.End())
	configure := must(info.AppendTo(must(epix.AppendTo(nil))))
	for _, size := range [][2]int{{24 + len(configure), 3692}, {24 + len(got), 96}, {24 + len(event), 96}} {
		if size[0] != size[1] {
			t.Errorf("%d bytes, want %d", size[0], size[1])
		}
	}
}

// TestRebuildExample makes the same file from its own values, which only its readers know.
func TestRebuildExample(t *testing.T) {
	path := filepath.Join(sampleDir(t), "intg_det/xpptut15-r0014-s002-c000.xtc2")
	walk(t, path, func(table *xtc.Table, d xtc.Dgram, offset int64) {
		again := make(xtc.Dgram, xtc.DgramHeaderBytes)
		if d.Service() == xtc.Configure {
			for _, n := range table.All() {
				again = must(n.AppendTo(again))
			}
		}
		for _, old := range blocks(t, table, d) {
			var b xtc.Builder
			b.Begin(again, old.Names)
			for i, e := range old.Names.Entries {
				switch v := old.Field(i); {
				case e.Type == xtc.CharStr:
					b.Text(v.String())
				case e.Rank > 0:
					copy(b.Array(v.Shape[:v.Rank]...), v.Data)
				default:
					b.Uint(v.Uint64())
				}
			}
			again = must(b.End())
		}
		xtc.PutDgramHeader(again, d.Time(), d.Env(), d.Src(), d.Damage(), len(again)-xtc.DgramHeaderBytes)
		if zeroTails(d); !bytes.Equal(again, d) {
			t.Errorf("the %v at %d differs", d.Service(), offset)
		}
	})
}

// zeroTails clears what real writers leave behind the NUL of the fixed strings of Names.
func zeroTails(d xtc.Dgram) {
	for it := xtc.NewIter(d.Payload()); it.Next(); {
		if it.Header().Type != xtc.TypeNames {
			continue
		}
		b := it.Bytes()
		strings := []int{16, 272, 528, 784}
		for entry := 1048; entry < len(b); entry += 524 {
			strings = append(strings, entry, entry+260)
		}
		for _, at := range strings {
			s := b[at : at+256]
			clear(s[bytes.IndexByte(s, 0):])
		}
	}
}

// TestSampleSmallData makes the small data of the sample files anew.
func TestSampleSmallData(t *testing.T) {
	for _, f := range sampleFiles {
		dir, base := filepath.Split(f.path)
		name, ok := xtc.ParseFileName(base)
		if !ok || name.Chunk > 0 || strings.HasSuffix(base, ".smd.xtc2") {
			continue
		}
		t.Run(f.path, func(t *testing.T) {
			w, err := xtc.Create(t.TempDir(), name)
			if err != nil {
				t.Fatal(err)
			}
			walk(t, filepath.Join(sampleDir(t), f.path), func(_ *xtc.Table, d xtc.Dgram, _ int64) {
				if err := w.Append(d); err != nil {
					t.Fatal(err)
				}
			})
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			big, _ := os.ReadFile(w.Files()[0])
			want, _ := os.ReadFile(filepath.Join(sampleDir(t), f.path))
			if !bytes.Equal(big, want) {
				t.Error("the big file differs")
			}
			compareSmall(t, w.Files()[1], filepath.Join(sampleDir(t), dir, name.SmallData()))
		})
	}
}

func compareSmall(t *testing.T, ours, theirs string) {
	t.Helper()
	var got, want []xtc.Dgram
	walk(t, ours, func(_ *xtc.Table, d xtc.Dgram, _ int64) { got = append(got, d) })
	walk(t, theirs, func(_ *xtc.Table, d xtc.Dgram, _ int64) { want = append(want, d) })
	if len(got) > len(want) {
		t.Fatalf("%d datagrams, want %d", len(got), len(want))
	}
	for i, d := range got {
		if d.Service() == xtc.L1Accept {
			copy(d[24:28], want[i][24:28]) // the NamesID is free to choose
		}
		if d.Service() == xtc.Configure {
			d, want[i] = d[24:len(d)-2096], want[i][24:len(d)-2096]
		}
		if !bytes.Equal(d, want[i]) {
			t.Fatalf("datagram %d differs:\n%x\n%x", i, d, want[i])
		}
	}
}

func TestSmallDataDamage(t *testing.T) {
	dg := dgrams(1)
	dg[4].SetDamage(xtc.DamageCorrupted | xtc.DamageTimedOut)
	taken := smallTaken(dg[0])
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	for _, d := range append([]xtc.Dgram{taken}, dg[1:]...) {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Append(taken); err != nil { // configured again
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	walk(t, w.Files()[1], func(table *xtc.Table, d xtc.Dgram, _ int64) {
		if !d.Service().IsEvent() {
			return
		}
		b := blocks(t, table, d)[0]
		offset, _ := b.FieldNamed("intOffset")
		if d.Damage() != xtc.DamageTimedOut || b.ID != xtc.NewNamesID(3, 1) || len(d) != 76 || offset.Uint64() == 0 {
			t.Error(d.Damage(), b.ID, len(d), offset)
		}
	})
}

// smallTaken adds Names with the id that small data would take.
func smallTaken(d xtc.Dgram) xtc.Dgram {
	n := cameraNames()
	n.ID, n.Alg = xtc.NewNamesID(3, xtc.IndexSmallData), "other"
	d = must(n.AppendTo(bytes.Clone(d)))
	d.SetSize(len(d))
	return d
}

func TestCreateRefuses(t *testing.T) {
	dir, name := t.TempDir(), xtc.FileName{Expt: "e", Run: 1}
	w, err := xtc.Create(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(sentence string) {
		t.Helper()
		_, err := xtc.Create(dir, name)
		if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), sentence) {
			t.Errorf("%v, want %q", err, sentence)
		}
	}
	refused("another drp")
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	refused("was left by a run that was aborted: drp xtc repair ")
	big := filepath.Join(dir, name.Data())
	if err := os.Rename(big+".inprogress", big); err != nil {
		t.Fatal(err)
	}
	refused("exists already")
	if _, err := os.Stat(big + ".inprogress"); err == nil {
		t.Error("a refused Create left a file")
	}
	for _, bad := range []xtc.FileName{{}, {Expt: "a/b"}, {Expt: ".."}, {Expt: "e", Run: -1}} {
		if _, err := xtc.Create(dir, bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := w.Append(dgrams(0)[0]); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

func TestCloseDoesNotOverwrite(t *testing.T) {
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	if err := os.WriteFile(w.Files()[0], []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if b, _ := os.ReadFile(w.Files()[0]); string(b) != "precious" {
		t.Error("the file was overwritten")
	}
}

func TestEventBeforeConfigure(t *testing.T) {
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	defer w.Abort()
	dg := dgrams(1)
	if err := w.Append(dg[4]); err == nil || w.Bytes() != 0 {
		t.Error(err, w.Bytes())
	}
	if err := w.Append(dg[0]); err != nil {
		t.Fatal(err)
	}
	w.Drop()
	if err := w.Append(dg[4]); err == nil {
		t.Error("an event was taken after its Configure was dropped")
	}
	if err := w.Append(dg[4][:30]); err == nil {
		t.Error("half a datagram was taken")
	}
}

// TestDiskFull limits the file size in place of a full disk: what does not fit leaves no trace, and once there is room
// the same Flush succeeds.
func TestDiskFull(t *testing.T) {
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	dg := dgrams(0)
	for _, d := range dg[:4] {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	before := w.Bytes()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skip(err)
	}
	limit := old
	limit.Cur = 300 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip(err)
	}
	restore := func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) }
	defer restore()
	pixels := make([]byte, 100<<10)
	event := dgram(xtc.L1Accept, 5, nil)
	for range 4 {
		if err := w.AppendParts(event, pixels, []byte("small")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); !errors.Is(err, syscall.EFBIG) {
		t.Fatal(err)
	}
	if info := must(os.Stat(w.Files()[0] + ".inprogress")); info.Size() != before {
		t.Errorf("%d bytes, want %d", info.Size(), before)
	}
	restore()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := xtc.Scan(w.Files()[0])
	if err != nil || s.Events() != 4 || s.Truncated != nil || s.MaxEventBytes != 24+len(pixels)+5 {
		t.Errorf("%+v %v", s, err)
	}
}

// TestManyParts exceeds what one writev takes.
func TestManyParts(t *testing.T) {
	w := must(xtc.Create(t.TempDir(), xtc.FileName{Expt: "e"}))
	if err := w.Append(dgrams(0)[0]); err != nil {
		t.Fatal(err)
	}
	var parts [][]byte
	var want []byte
	for i := range 3000 {
		size := 12 << (i % 3)
		if i%5 == 0 {
			size += 16 << 10
		}
		p := bytes.Repeat([]byte{byte(i)}, size)
		binary.LittleEndian.PutUint16(p, uint16(i))
		parts, want = append(parts, p), append(want, p...)
	}
	start := w.Bytes()
	if err := w.AppendParts(dgram(xtc.L1Accept, 9, nil), parts...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := must(os.ReadFile(w.Files()[0]))[start:]
	if xtc.Dgram(b).Size() != len(b) || !bytes.Equal(b[24:], want) {
		t.Error("the parts were not written as they are")
	}
}
