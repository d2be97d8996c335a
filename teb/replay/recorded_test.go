package replay_test

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// recording is a file as drp records it, of one contributor.
type recording struct {
	t         testing.TB
	schema    *teb.Schema
	partition []string
	reasons   []string
	segment   uint32
	all       []xtc.Dgram
}

// record begins a file at a time; each field of the contributor is a whole number.
func record(t testing.TB, time uint64, partition, name string, fields ...string) *recording {
	t.Helper()
	r := &recording{t: t, partition: strings.Split(partition, ","), reasons: []string{"rejected", "prescale", "default", "failed",
		"transition", "large", "small"}}
	r.configure(time, name, fields...)
	return r
}

func (r *recording) names(alg string) *xtc.Names {
	n := &xtc.Names{DetName: "teb", DetType: "teb", Alg: alg, Version: xtc.Version{Major: 1}, Segment: r.segment}
	switch alg {
	case "decision":
		n.ID = xtc.NewNamesID(1, 10)
		n.Entries = []xtc.Name{{Name: "persist", Type: xtc.UInt8}, {Name: "prescaled", Type: xtc.UInt8}, {Name: "monitor", Type: xtc.UInt32},
			{Name: "reason", Type: xtc.UInt16}, {Name: "pulse", Type: xtc.UInt64}}
	case "reasons":
		n.ID = xtc.NewNamesID(1, 11)
		n.Entries = []xtc.Name{{Name: "reasons", Type: xtc.CharStr, Rank: 1}, {Name: "contributors", Type: xtc.CharStr, Rank: 1},
			{Name: "schema", Type: xtc.CharStr, Rank: 1}}
	case "contribution":
		n.ID, n.Entries = xtc.NewNamesID(1, 12), r.schema.Entries()
	case "runinfo":
		n.DetName, n.DetType, n.ID = alg, alg, xtc.NewNamesID(1, xtc.IndexRunInfo)
		n.Entries = []xtc.Name{{Name: "expt", Type: xtc.CharStr, Rank: 1}, {Name: "runnum", Type: xtc.UInt32}}
	case "chunkinfo":
		n = xtc.ChunkInfoNames(xtc.NewNamesID(1, xtc.IndexChunkInfo))
	}
	return n
}

func (r *recording) put(service xtc.TransitionID, time uint64, payload []byte, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	r.all = append(r.all, testkit.Plain(service, time, payload...))
}

func (r *recording) configure(time uint64, name string, fields ...string) {
	r.t.Helper()
	var own []teb.Field
	for _, f := range fields {
		own = append(own, teb.Field{Name: f, Type: teb.I32})
	}
	var err error
	if r.schema, err = teb.NewSchema(name, own...); err != nil {
		r.t.Fatal(err)
	}
	var payload []byte
	for _, alg := range []string{"decision", "reasons", "contribution", "chunkinfo", "runinfo"} {
		if payload, err = r.names(alg).AppendTo(payload); err != nil {
			r.t.Fatal(err)
		}
	}
	var b xtc.Builder
	b.Begin(payload, r.names("reasons"))
	b.Text(strings.Join(r.reasons, "\n"))
	b.Text(strings.Join(r.partition, "\n"))
	b.Text(r.schema.Text())
	payload, err = b.End()
	r.put(xtc.Configure, time, payload, err)
}

// then is what was decided about an event.
type then struct {
	persist bool
	reason  int
}

// event appends one whose time and pulse ID are the same.
func (r *recording) event(pulse uint64, was then, values ...int64) {
	r.t.Helper()
	row := make([]byte, r.schema.RowBytes())
	for i, v := range values {
		r.schema.Fields()[i].PutInt(row, 0, v)
	}
	var b xtc.Builder
	b.Begin(nil, r.names("decision"))
	for _, v := range []uint64{number(was.persist), 0, 0, uint64(was.reason), pulse} {
		b.Uint(v)
	}
	payload, err := b.End()
	if err == nil {
		payload, err = r.schema.AppendRecord(payload, r.names("contribution"), row)
	}
	r.put(xtc.L1Accept, pulse, payload, err)
}

// bare appends an event that nobody decided about.
func (r *recording) bare(time uint64) { r.put(xtc.L1Accept, time, nil, nil) }

// next says in which file the run goes on.
func (r *recording) next(time uint64, name string) {
	payload, err := xtc.AppendChunkInfo(nil, r.names("chunkinfo"), name, 1)
	r.put(xtc.Enable, time, payload, err)
}

// run begins one.
func (r *recording) run(time, number uint64) {
	var b xtc.Builder
	b.Begin(nil, r.names("runinfo"))
	b.Text("exp")
	b.Uint(number)
	payload, err := b.End()
	r.put(xtc.BeginRun, time, payload, err)
}

// file writes what there is, and begins another one without a Configure.
func (r *recording) file(dir, name string) string {
	r.t.Helper()
	var text strings.Builder
	for _, d := range r.all {
		text.Write(d)
	}
	r.all = nil
	path := filepath.Join(dir, name)
	testkit.WriteFile(r.t, path, text.String())
	return path
}

func number(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// groups gives the last event other readout groups.
func (r *recording) groups(groups uint16) {
	d := r.all[len(r.all)-1]
	binary.LittleEndian.PutUint32(d[8:], xtc.EnvOf(xtc.L1Accept, groups))
}
