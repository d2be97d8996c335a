package karabo

import (
	"fmt"
	"strconv"

	"drp/internal/wire"
	"drp/xtc"
)

// metadata is the time of an event, and the number by which those of several sources belong together.
type metadata struct {
	timestamp float64
	sec, frac string
	tid       uint64
}

// metadataOf tells the time in Unix' seconds and attoseconds.
func metadataOf(time, tid uint64) metadata {
	at := xtc.WallTime(time)
	return metadata{timestamp: float64(at.Unix()) + float64(at.Nanosecond())/1e9, sec: strconv.FormatInt(at.Unix(), 10),
		frac: fmt.Sprintf("%09d000000000", at.Nanosecond()), tid: tid}
}

func (m *metadata) put(p *wire.Pack, source string) {
	p.Map(5)
	p.Text("source")
	p.Text(source)
	p.Text("timestamp")
	p.Float(m.timestamp)
	p.Text("timestamp.sec")
	p.Text(m.sec)
	p.Text("timestamp.frac")
	p.Text(m.frac)
	p.Text("timestamp.tid")
	p.Uint(m.tid)
}
