package testkit

import (
	"encoding/binary"

	"drp/xtc"
)

// Spots makes runs of a camera "cam" of type "spotcam" with spots on a background, of which every other event has some.
type Spots struct {
	Segments, Rows, Cols int
	Apart                uint64 // ns between events; 0 is 1
}

// Names describes one segment; its id is M0, M1, …
func (c Spots) Names(segment int) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(node, uint32(segment)), DetType: "spotcam", DetName: "cam",
		DetID: "M" + string(rune('0'+segment)), Alg: "raw", Version: xtc.Version{Major: 2}, Segment: uint32(segment),
		Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 2}}}
}

// Spots is how many an event has: none if its number is odd.
func (c Spots) Spots(event int) int {
	if event%2 == 1 {
		return 0
	}
	return 4 + event%5
}

// Spot is where one of them is: all lie apart, and away from the rims of segments.
func (c Spots) Spot(event, k int) (segment, row, col int) {
	across, down := (c.Cols-8)/10, (c.Rows-8)/10
	place := (7*event + k) % (across * down)
	return (event + k) % c.Segments, 6 + 10*(place/across), 6 + 10*(place%across)
}

// Pixels are those of a segment of an event, with a background of 100 and noise of about 3.
func (c Spots) Pixels(event, segment int) []uint16 {
	pixels := make([]uint16, c.Rows*c.Cols)
	state := uint64(event)*1000003 + uint64(segment)*7919 + 1
	for i := range pixels {
		sum := uint64(0)
		for range 4 {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			sum += state >> 8 % 6
		}
		pixels[i] = uint16(90 + sum%21)
	}
	for k := range c.Spots(event) {
		s, row, col := c.Spot(event, k)
		if s != segment {
			continue
		}
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				pixels[(row+dy)*c.Cols+col+dx] += uint16(800 >> (2 * (dy*dy + dx*dx)))
			}
		}
	}
	return pixels
}

// Event is an L1Accept.
func (c Spots) Event(time uint64, event int) xtc.Dgram {
	var payload []byte
	for s := range c.Segments {
		var b xtc.Builder
		b.Begin(payload, c.Names(s))
		at := b.Array(uint32(c.Rows), uint32(c.Cols))
		for i, v := range c.Pixels(event, s) {
			binary.LittleEndian.PutUint16(at[2*i:], v)
		}
		payload = must(b.End())
	}
	return Plain(xtc.L1Accept, time, payload...)
}

// Run is a complete run of events at the times 101, 102, …, or as far apart as it says
func (c Spots) Run(events int) []xtc.Dgram {
	payload := must(runInfo().AppendTo(nil))
	for s := range c.Segments {
		payload = must(c.Names(s).AppendTo(payload))
	}
	all := []xtc.Dgram{Plain(xtc.Configure, 1, payload...), Camera{}.BeginRun(2, 5), Plain(xtc.BeginStep, 3), Plain(xtc.Enable, 4)}
	for i := range events {
		all = append(all, c.Event(101+uint64(i)*max(1, c.Apart), i))
	}
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure} {
		all = append(all, Plain(s, uint64(1000001+i)))
	}
	return all
}
