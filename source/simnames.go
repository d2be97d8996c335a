package source

import (
	"fmt"

	"drp/xtc"
)

// simNames builds the simulator's transitions and frames.
type simNames struct {
	p        SimParams
	expt     string
	raw      []*xtc.Names // per segment
	config   []*xtc.Names // per segment; nil where the segment has not the shape of an ePix10ka
	runinfo  *xtc.Names
	scan     *xtc.Names
	epics    *xtc.Names
	epicsIDs *xtc.Names
}

// The shape of an ePix10ka segment, four ASICs of 176 x 192, which psana's configuration classes expect.
const (
	epixRows, epixCols            = 352, 384
	epixASICs, asicRows, asicCols = 4, 176, 192
)

// HasConstants tells whether segments have that shape, and so gain ranges that are configured.
func (p *SimParams) HasConstants() bool { return p.Rows == epixRows && p.Cols == epixCols }

const simType = "epix10ka"

// simSerial is the id of a segment: seven numbers, as real ones have. psana splits at underscores, so there are none.
func simSerial(segment int) string {
	return fmt.Sprintf("%010d-0000000000-0000000000-0000000000-0000000000-0000000000-0000000000", segment+1)
}

const simEpics = "SIM:CAMERA:TEMPERATURE"

func makeSimNames(p SimParams, expt string) simNames {
	n := simNames{p: p, expt: expt}
	node := uint32(1)
	for seg := range uint32(p.Segments) {
		number := uint32(p.First) + seg
		detID := simSerial(int(number))
		n.raw = append(n.raw, &xtc.Names{ID: xtc.NewNamesID(node, seg), DetType: simType, DetName: p.Name, DetID: detID,
			Alg: "raw", Version: xtc.Version{Major: 2, Minor: 0, Micro: 1}, Segment: number,
			Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 2}}})
		if p.HasConstants() {
			n.config = append(n.config, &xtc.Names{ID: xtc.NewNamesID(node, 32+seg), DetType: simType, DetName: p.Name,
				DetID: detID, Alg: "config", Version: xtc.Version{Major: 2}, Segment: number,
				Entries: []xtc.Name{{Name: "asicPixelConfig", Type: xtc.UInt8, Rank: 3}, {Name: "trbit", Type: xtc.UInt8, Rank: 1}}})
		}
	}
	n.runinfo = &xtc.Names{ID: xtc.NewNamesID(node, 255), DetType: "runinfo", DetName: "runinfo", Alg: "runinfo",
		Version: xtc.Version{Micro: 1}, Entries: []xtc.Name{{Name: "expt", Type: xtc.CharStr, Rank: 1}, {Name: "runnum", Type: xtc.UInt32}}}
	n.scan = &xtc.Names{ID: xtc.NewNamesID(node, 253), DetType: "scan", DetName: "scan", Alg: "raw", Version: xtc.Version{Major: 2},
		Entries: []xtc.Name{{Name: "step_value", Type: xtc.Int32}, {Name: "step_docstring", Type: xtc.CharStr, Rank: 1},
			{Name: "motor1", Type: xtc.Double}}}
	n.epics = &xtc.Names{ID: xtc.NewNamesID(node, 64), DetType: "epics", DetName: "epics", Alg: "raw", Version: xtc.Version{Major: 2},
		Entries: []xtc.Name{{Name: simEpics, Type: xtc.Double}}}
	n.epicsIDs = &xtc.Names{ID: xtc.NewNamesID(node, 65), DetType: "epicsinfo", DetName: "epicsinfo", Alg: "epicsinfo",
		Version: xtc.Version{Major: 1}, Entries: []xtc.Name{{Name: "keys", Type: xtc.CharStr, Rank: 1}, {Name: simEpics, Type: xtc.CharStr, Rank: 1}}}
	return n
}

// emptyDgram is a transition that carries nothing.
func emptyDgram(service xtc.TransitionID) xtc.Dgram {
	d := make(xtc.Dgram, xtc.DgramHeaderBytes)
	xtc.PutDgramHeader(d, 0, xtc.EnvOf(service, simGroup), 0, 0, 0)
	return d
}

// finish sets the length of a datagram that blocks were appended to.
func finish(buf []byte, err error) (xtc.Dgram, error) {
	d := xtc.Dgram(buf)
	d.SetSize(len(d))
	return d, err
}

func (n *simNames) configure() (xtc.Dgram, error) {
	buf, err := []byte(emptyDgram(xtc.Configure)), error(nil)
	all := append(append([]*xtc.Names{}, n.raw...), n.config...)
	for _, names := range append(all, n.runinfo, n.scan, n.epics, n.epicsIDs) {
		if buf, err = names.AppendTo(buf); err != nil {
			return nil, err
		}
	}
	var b xtc.Builder
	for _, names := range n.config {
		b.Begin(buf, names)
		b.Array(epixASICs, asicRows, asicCols) // 0 with trbit 1 is a range that switches from high to low gain by itself
		trbits := b.Array(epixASICs)
		for i := range trbits {
			trbits[i] = 1
		}
		if buf, err = b.End(); err != nil {
			return nil, err
		}
	}
	b.Begin(buf, n.epicsIDs)
	b.Text("epics variable")
	b.Text(simEpics)
	return finish(b.End())
}

func (n *simNames) beginRun(run int) (xtc.Dgram, error) {
	var b xtc.Builder
	b.Begin(emptyDgram(xtc.BeginRun), n.runinfo)
	b.Text(n.expt)
	b.Uint(uint64(run))
	return finish(b.End())
}

// beginStep makes a scan of a motor from 0 to 1.
func (n *simNames) beginStep(step, steps int) (xtc.Dgram, error) {
	at := float64(step) / float64(max(1, steps-1))
	var b xtc.Builder
	b.Begin(emptyDgram(xtc.BeginStep), n.scan)
	b.Int(int64(step))
	b.Text(fmt.Sprintf("{\"detname\": \"%s\", \"motor1\": %g}", n.p.Name, at))
	b.Float(at)
	return finish(b.End())
}

func (n *simNames) slowUpdate(event uint64) (xtc.Dgram, error) {
	var b xtc.Builder
	b.Begin(emptyDgram(xtc.SlowUpdate), n.epics)
	b.Float(-20 + float64(event%1000)/1000)
	return finish(b.End())
}

// l1 builds the L1Accept of one frame of the bank.
func (n *simNames) l1(frames *bank, frame int) (xtc.Dgram, error) {
	buf, err := []byte(emptyDgram(xtc.L1Accept)), error(nil)
	var b xtc.Builder
	for seg, names := range n.raw {
		b.Begin(buf, names)
		frames.segment(frame, seg, b.Array(uint32(n.p.Rows), uint32(n.p.Cols)))
		if buf, err = b.End(); err != nil {
			return nil, err
		}
	}
	return finish(buf, nil)
}
