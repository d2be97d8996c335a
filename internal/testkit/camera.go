package testkit

import (
	"encoding/binary"
	"io"
	"path/filepath"
	"testing"

	"drp/xtc"
)

// Camera makes datagrams of a small segmented camera "cam" (alg raw, field raw, uint16). The zero value has 2 segments
// of 4 x 6 pixels.
type Camera struct{ Segments, Rows, Cols int }

const node = 1

func (c Camera) size() (segments, rows, cols int) {
	if c == (Camera{}) {
		return 2, 4, 6
	}
	return c.Segments, c.Rows, c.Cols
}

// Names describes one segment.
func (c Camera) Names(segment int) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(node, uint32(segment)), DetType: "testcam", DetName: "cam", DetID: "serial1",
		Alg: "raw", Version: xtc.Version{Major: 2}, Segment: uint32(segment),
		Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 2}}}
}

func runInfo() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(node, xtc.IndexRunInfo), DetType: "runinfo", DetName: "runinfo", Alg: "runinfo",
		Version: xtc.Version{Micro: 1},
		Entries: []xtc.Name{{Name: "expt", Type: xtc.CharStr, Rank: 1}, {Name: "runnum", Type: xtc.UInt32}}}
}

// Plain is a datagram of any kind that carries nothing but payload.
func Plain(service xtc.TransitionID, time uint64, payload ...byte) xtc.Dgram {
	d := make([]byte, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
	xtc.PutDgramHeader(d, time, xtc.EnvOf(service, 1), node, 0, len(payload))
	return append(d, payload...)
}

// Configure names everything.
func (c Camera) Configure(time uint64) xtc.Dgram {
	payload := must(runInfo().AppendTo(nil))
	segments, _, _ := c.size()
	for s := range segments {
		payload = must(c.Names(s).AppendTo(payload))
	}
	return Plain(xtc.Configure, time, payload...)
}

// BeginRun says experiment "test" and a run number.
func (c Camera) BeginRun(time uint64, run int) xtc.Dgram {
	var b xtc.Builder
	b.Begin(nil, runInfo())
	b.Text("test")
	b.Uint(uint64(run))
	return Plain(xtc.BeginRun, time, must(b.End())...)
}

// Event is an L1Accept with the pixels that Pixel gives for its number.
func (c Camera) Event(time uint64, number int) xtc.Dgram {
	var payload []byte
	segments, rows, cols := c.size()
	for s := range segments {
		var b xtc.Builder
		b.Begin(payload, c.Names(s))
		pixels := b.Array(uint32(rows), uint32(cols))
		for i := range rows * cols {
			binary.LittleEndian.PutUint16(pixels[2*i:], c.Pixel(number, s, i/cols, i%cols))
		}
		payload = must(b.End())
	}
	return Plain(xtc.L1Accept, time, payload...)
}

// Pixel is the value of a pixel in an event.
func (c Camera) Pixel(number, segment, row, col int) uint16 {
	return uint16(1000*segment + 100*row + col + 7*number)
}

// Run is a complete run of events at the times 101, 102, …
func (c Camera) Run(events int) []xtc.Dgram {
	all := []xtc.Dgram{c.Configure(1), c.BeginRun(2, 5), Plain(xtc.BeginStep, 3), Plain(xtc.Enable, 4)}
	for i := range events {
		all = append(all, c.Event(uint64(101+i), i))
	}
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure} {
		all = append(all, Plain(s, uint64(1000001+i)))
	}
	return all
}

// File writes datagrams as they are, and gives the path.
func File(t testing.TB, dgrams ...xtc.Dgram) string {
	t.Helper()
	var all []byte
	for _, d := range dgrams {
		all = append(all, d...)
	}
	path := filepath.Join(t.TempDir(), "test-r0005-s000-c000.xtc2")
	WriteFile(t, path, string(all))
	return path
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Dgrams reads a whole file.
func Dgrams(t testing.TB, path string) []xtc.Dgram {
	t.Helper()
	r, err := xtc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var all []xtc.Dgram
	for {
		if _, err := r.Next(); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		d, err := r.ReadDgram(nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
}

// Events gives each event of a file, with the table of the Configure that holds for it.
func Events(t testing.TB, path string, each func(table *xtc.Table, d xtc.Dgram)) {
	t.Helper()
	table := xtc.NewTable()
	for _, d := range Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if d.Service().IsEvent() {
			each(table, d)
		}
	}
}
