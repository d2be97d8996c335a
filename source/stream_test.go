package source_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"drp/source"
	"drp/xtc"
)

// A fakeStream makes the files of one stream: a camera of one segment whose events say when they are.
type fakeStream struct {
	node, segment uint32
	run           int
	noRunInfo     bool
}

func (f fakeStream) camera() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(f.node, 0), DetType: "fakecam", DetName: "cam", Alg: "raw", Segment: f.segment,
		Version: xtc.Version{Major: 2}, Entries: []xtc.Name{{Name: "when", Type: xtc.UInt64},
			{Name: "image", Type: xtc.UInt16, Rank: 2}}}
}

func (f fakeStream) runInfo() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(f.node, xtc.IndexRunInfo), DetType: "runinfo", DetName: "runinfo", Alg: "runinfo",
		Entries: []xtc.Name{{Name: "expt", Type: xtc.CharStr, Rank: 1}, {Name: "runnum", Type: xtc.UInt32}}}
}

func (f fakeStream) chunkInfo() *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(f.node, xtc.IndexChunkInfo), DetType: "chunkinfo", DetName: "chunkinfo",
		Alg: "chunkinfo", Entries: []xtc.Name{{Name: "filename", Type: xtc.CharStr, Rank: 1}, {Name: "chunkid", Type: xtc.UInt32}}}
}

// dgram makes a datagram at so many nanoseconds.
func (f fakeStream) dgram(service xtc.TransitionID, ns uint64, payload []byte) xtc.Dgram {
	d := make([]byte, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
	xtc.PutDgramHeader(d, ns/1e9<<32|ns%1e9, xtc.EnvOf(service, 1<<f.segment), f.node, 0, len(payload))
	return append(d, payload...)
}

func (f fakeStream) configure(ns uint64) xtc.Dgram {
	payload := must(f.camera().AppendTo(nil))
	if !f.noRunInfo {
		payload = must(f.runInfo().AppendTo(payload))
	}
	return f.dgram(xtc.Configure, ns, must(f.chunkInfo().AppendTo(payload)))
}

func (f fakeStream) beginRun(ns uint64) xtc.Dgram {
	if f.noRunInfo {
		return f.dgram(xtc.BeginRun, ns, nil)
	}
	var b xtc.Builder
	b.Begin(nil, f.runInfo())
	b.Text("xpptut15")
	b.Uint(uint64(f.run))
	return f.dgram(xtc.BeginRun, ns, must(b.End()))
}

// enable begins a step; next is the name of the chunk that begins then, if one does.
func (f fakeStream) enable(ns uint64, next string) xtc.Dgram {
	if next == "" {
		return f.dgram(xtc.Enable, ns, nil)
	}
	var b xtc.Builder
	b.Begin(nil, f.chunkInfo())
	b.Text(next)
	b.Uint(1)
	return f.dgram(xtc.Enable, ns, must(b.End()))
}

// event has rows as many as its time has units, so that sizes differ.
func (f fakeStream) event(ns uint64) xtc.Dgram {
	var b xtc.Builder
	b.Begin(nil, f.camera())
	b.Uint(ns)
	image := b.Array(uint32(1+ns%10), 4)
	for i := range image {
		image[i] = byte(f.segment)
	}
	return f.dgram(xtc.L1Accept, ns, must(b.End()))
}

// begin and end surround the events of a run; begin takes the times 1 to 4.
func (f fakeStream) begin() []xtc.Dgram {
	return []xtc.Dgram{f.configure(1), f.beginRun(2), f.dgram(xtc.BeginStep, 3, nil), f.enable(4, "")}
}

func (f fakeStream) end(ns uint64) (all []xtc.Dgram) {
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun} {
		all = append(all, f.dgram(s, ns+uint64(i), nil))
	}
	return all
}

func (f fakeStream) events(times ...uint64) (all []xtc.Dgram) {
	for _, ns := range times {
		all = append(all, f.event(ns))
	}
	return all
}

// run is a whole run; it ends at 1000.
func (f fakeStream) wholeRun(times ...uint64) []xtc.Dgram {
	return join(f.begin(), f.events(times...), f.end(1000))
}

func join(parts ...[]xtc.Dgram) (all []xtc.Dgram) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// writeFile writes datagrams as they are.
func writeFile(t testing.TB, path string, all []xtc.Dgram) string {
	t.Helper()
	var b bytes.Buffer
	for _, d := range all {
		b.Write(d)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func streamName(stream, chunk int) string {
	return fmt.Sprintf("xpptut15-r0014-s%03d-c%03d.xtc2", stream, chunk)
}

// whens gives the segments and times that an event's blocks name, as segment:time.
func whens(t *testing.T, table *xtc.Table, d xtc.Dgram) (all string) {
	t.Helper()
	for _, b := range blocks(t, table, d) {
		when, ok := b.FieldNamed("when")
		if !ok {
			continue
		}
		image, _ := b.FieldNamed("image")
		for _, v := range image.Data {
			if v != byte(b.Names.Segment) {
				t.Fatalf("segment %d has pixels of segment %d", b.Names.Segment, v)
			}
		}
		all += fmt.Sprintf("%d:%d ", b.Names.Segment, when.Uint64())
	}
	return all
}

// eventsOf joins what whens says of all events.
func eventsOf(t *testing.T, all []xtc.Dgram) (text string) {
	t.Helper()
	table := checkStructure(t, all)
	for _, d := range ofService(all, xtc.L1Accept) {
		text += whens(t, table, d) + "| "
	}
	return text
}

// replay reads files to their end.
func replay(t *testing.T, o source.Options, names ...string) []xtc.Dgram {
	t.Helper()
	return drain(t, openSource(t, o, names...), 2)
}
