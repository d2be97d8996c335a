package xtc_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"drp/xtc"
)

// A testRun is a small run made by our own writer: the seeds and the ground truth of the other tests.
type testRun struct {
	dir   string
	files []string
	table *xtc.Table
	dg    []xtc.Dgram
}

func cameraNames() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(3, 0), DetType: "fakecam", DetName: "cam", DetID: "serial 1", Alg: "raw",
		Version: xtc.Version{Major: 2}, Segment: 1, Entries: []xtc.Name{
			{Name: "count", Type: xtc.UInt64},
			{Name: "array_raw", Type: xtc.UInt16, Rank: 2},
			{Name: "gain", Type: xtc.Double},
			{Name: "note", Type: xtc.CharStr, Rank: 1},
			{Name: "temp", Type: xtc.Int8},
		}}
}

func runInfoNames() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(3, xtc.IndexRunInfo), DetType: "runinfo", DetName: "runinfo", Alg: "runinfo",
		Version: xtc.Version{Micro: 1}, Entries: []xtc.Name{
			{Name: "expt", Type: xtc.CharStr, Rank: 1}, {Name: "runnum", Type: xtc.UInt32}}}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// dgram makes a datagram of a service with a payload.
func dgram(service xtc.TransitionID, time uint64, payload []byte) xtc.Dgram {
	d := make([]byte, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
	xtc.PutDgramHeader(d, time, xtc.EnvOf(service, 1), 3, 0, len(payload))
	return append(d, payload...)
}

func cameraBlock(buf []byte, n *xtc.Names, i int) []byte {
	var b xtc.Builder
	b.Begin(buf, n)
	b.Uint(uint64(i))
	copy(b.Array(2, 3), "twelve bytes")
	b.Float(1.5)
	b.Text("hello")
	b.Int(-int64(i))
	return must(b.End())
}

// dgrams makes a run of a few events.
func dgrams(events int) []xtc.Dgram {
	cam, info := cameraNames(), runInfoNames()
	names := must(info.AppendTo(must(cam.AppendTo(nil))))
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text("xpptut15")
	b.Uint(14)
	all := []xtc.Dgram{dgram(xtc.Configure, 1, names), dgram(xtc.BeginRun, 2, must(b.End())),
		dgram(xtc.BeginStep, 3, nil), dgram(xtc.Enable, 4, nil)}
	for i := range events {
		all = append(all, dgram(xtc.L1Accept, uint64(5+i), cameraBlock(nil, cam, i)))
	}
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun} {
		all = append(all, dgram(s, uint64(5+events+i), nil))
	}
	return all
}

func writeRun(t testing.TB, events int) testRun {
	t.Helper()
	run := testRun{dir: t.TempDir(), table: xtc.NewTable(), dg: dgrams(events)}
	w, err := xtc.Create(run.dir, xtc.FileName{Expt: "xpptut15", Run: 14, Stream: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range run.dg {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	run.files = w.Files()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := run.table.Configure(run.dg[0]); err != nil {
		t.Fatal(err)
	}
	return run
}

func TestRoundTrip(t *testing.T) {
	run := writeRun(t, 20)
	i := 0
	walk(t, run.files[0], func(table *xtc.Table, d xtc.Dgram, _ int64) {
		if !bytes.Equal(d, run.dg[i]) {
			t.Errorf("datagram %d differs", i)
		}
		i++
		if d.Service() != xtc.L1Accept {
			return
		}
		b := blocks(t, table, d)[0]
		count, _ := b.FieldNamed("count")
		temp, _ := b.FieldNamed("temp")
		note, _ := b.FieldNamed("note")
		gain, _ := b.FieldNamed("gain")
		if n := int64(count.Uint64()); temp.Int64() != -n || note.String() != "hello" || gain.Float64() != 1.5 {
			t.Error(n, temp, note, gain)
		}
	})
	if i != len(run.dg) {
		t.Errorf("%d datagrams, want %d", i, len(run.dg))
	}
	for _, path := range run.files {
		r, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !r.OK() || len(r.Warnings) > 0 || r.Explained != r.Bytes {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := os.Stat(path + ".inprogress"); err == nil {
			t.Error("the name .inprogress is still there")
		}
	}
}

// TestTruncated cuts a file at every byte.
func TestTruncated(t *testing.T) {
	var file []byte
	ends := map[int]bool{0: true}
	for _, d := range dgrams(2) {
		file = append(file, d...)
		ends[len(file)] = true
	}
	path := filepath.Join(t.TempDir(), "cut.xtc2")
	for n := range len(file) + 1 {
		for _, src := range []io.Reader{bytes.NewReader(file[:n]), bytes.NewBuffer(file[:n])} {
			checkCut(t, src, n, ends[n])
		}
		if n%97 != 0 && !ends[n] || n == 0 {
			continue
		}
		if err := os.WriteFile(path, file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := xtc.Scan(path)
		if err != nil || (s.Truncated == nil) != ends[n] {
			t.Fatalf("cut at %d: %v %v", n, s.Truncated, err)
		}
	}
}

func checkCut(t *testing.T, src io.Reader, n int, whole bool) {
	t.Helper()
	r := xtc.NewReader(src, "cut")
	read := int64(0)
	for {
		d, err := r.Next()
		if err == nil {
			d, err = r.ReadDgram(nil)
		}
		read += int64(len(d))
		if err == nil {
			continue
		}
		cut, ok := err.(*xtc.TruncatedError)
		if whole != (err == io.EOF) || whole == ok {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if ok && (cut.Offset+cut.Leftover != int64(n) || cut.Leftover >= cut.Need || cut.Offset != r.Offset()) {
			t.Fatalf("cut at %d: %+v after %d", n, cut, read)
		}
		return
	}
}

func roundTripNames(t testing.TB, b []byte) {
	t.Helper()
	n, err := xtc.ParseNames(b)
	if err != nil {
		return
	}
	again, err := n.AppendTo(nil)
	if err != nil {
		return // real files have characters we refuse to write
	}
	m, err := xtc.ParseNames(again)
	if err != nil || !reflect.DeepEqual(n, m) || len(again) != len(b) {
		t.Fatalf("%+v became %+v (%v)", n, m, err)
	}
}
