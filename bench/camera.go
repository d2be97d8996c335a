package bench

import (
	"drp/xtc"
)

// camera makes the datagrams that are handed around: one detector, one segment, one frame.
type camera struct {
	names      *xtc.Names
	rows, cols uint32
	dtype      string
}

// smallCamera has frames of 4 KiB, largeCamera of 4 MiB.
func smallCamera() camera { return newCamera(xtc.UInt8, "uint8", 64, 64) }
func largeCamera() camera { return newCamera(xtc.UInt16, "uint16", 2048, 1024) }

func newCamera(t xtc.DataType, dtype string, rows, cols uint32) camera {
	return camera{rows: rows, cols: cols, dtype: dtype, names: &xtc.Names{ID: xtc.NewNamesID(1, 0), DetType: "bench",
		DetName: "bench", Alg: "raw", Version: xtc.Version{Major: 1}, Entries: []xtc.Name{{Name: "raw", Type: t, Rank: 2}}}}
}

func header(service xtc.TransitionID) []byte {
	d := make([]byte, xtc.DgramHeaderBytes)
	xtc.PutDgramHeader(d, 1<<32, xtc.EnvOf(service, 1), 0, 0, 0)
	return d
}

func sized(buf []byte, err error) (xtc.Dgram, error) {
	d := xtc.Dgram(buf)
	d.SetSize(len(d))
	return d, err
}

func (c camera) configure() (xtc.Dgram, error) { return sized(c.names.AppendTo(header(xtc.Configure))) }

func (c camera) event() (xtc.Dgram, error) {
	var b xtc.Builder
	b.Begin(header(xtc.L1Accept), c.names)
	pixels := b.Array(c.rows, c.cols)
	for i := range pixels {
		pixels[i] = byte(i >> 3)
	}
	return sized(b.End())
}
