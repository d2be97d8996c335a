package drp_test

import (
	"encoding/binary"
	"testing"

	"drp/calib"
	"drp/internal/testkit"
	"drp/xtc"
)

const epixPixels = 352 * 384

// gainScan is a run of an ePix10ka segment that changes the gain range of its pixels from step to step: the ranges are
// those of trbit and of the pixels' words.
func gainScan(t *testing.T, steps []struct{ trbit, word byte }) string {
	t.Helper()
	raw := &xtc.Names{ID: 0x100, DetType: "epix10ka", DetName: "cam", DetID: "s1", Alg: "raw", Version: xtc.Version{Major: 2},
		Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 2}}}
	config := &xtc.Names{ID: 0x101, DetType: "epix10ka", DetName: "cam", DetID: "s1", Alg: "config", Version: xtc.Version{Major: 2},
		Entries: []xtc.Name{{Name: "asicPixelConfig", Type: xtc.UInt8, Rank: 3}, {Name: "trbit", Type: xtc.UInt8, Rank: 1}}}
	block := func(to []byte, fill func(b *xtc.Builder), n *xtc.Names) []byte {
		var b xtc.Builder
		b.Begin(to, n)
		fill(&b)
		all, err := b.End()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	configure := func(to []byte, trbit, word byte) []byte {
		return block(to, func(b *xtc.Builder) {
			words := b.Array(4, 176, 192)
			for i := range words {
				words[i] = word
			}
			copy(b.Array(4), []byte{trbit, trbit, trbit, trbit})
		}, config)
	}
	payload, err := raw.AppendTo(nil)
	if err == nil {
		payload, err = config.AppendTo(payload)
	}
	if err != nil {
		t.Fatal(err)
	}
	payload = configure(payload, steps[0].trbit, steps[0].word)
	all := []xtc.Dgram{testkit.Plain(xtc.Configure, 1, payload...), testkit.Plain(xtc.BeginRun, 2)}
	for i, s := range steps {
		time := uint64(100 * (i + 1))
		all = append(all, testkit.Plain(xtc.BeginStep, time, configure(nil, s.trbit, s.word)...), testkit.Plain(xtc.Enable, time+1))
		for k := range uint64(10) {
			event := block(nil, func(b *xtc.Builder) {
				pixels := b.Array(352, 384)
				for p := range epixPixels {
					binary.LittleEndian.PutUint16(pixels[2*p:], uint16(1000+p%50))
				}
			}, raw)
			all = append(all, testkit.Plain(xtc.L1Accept, time+2+k, event...))
		}
		all = append(all, testkit.Plain(xtc.Disable, time+20), testkit.Plain(xtc.EndStep, time+21))
	}
	return testkit.File(t, append(all, testkit.Plain(xtc.EndRun, 10000))...)
}

// TestGainScan: each step is corrected with the ranges that its own configuration means.
func TestGainScan(t *testing.T) {
	testkit.NoLeaks(t)
	steps := []struct{ trbit, word byte }{{1, 0b1100}, {0, 0b1100}, {0, 0b1000}, {1, 0}} // FH, FM, FL, AHL_H
	cfg := settings(t, testkit.Script(t, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="out", fields={"n": (np.uint32, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for step in run.steps():
        for evt in step.events():
            off = det.raw.raw(evt).astype(np.float32) - det.raw.calib(evt)
            assert (off == [0, 100, 200, 300][evt.nanoseconds // 100 - 1]).all(), (evt.nanoseconds, off)
            out.n = 1
            evt.add(out)
`))
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{gainScan(t, steps)}, t.TempDir(), 2
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) {
		s := &calib.Set{Detector: "cam", Model: "epix10ka", Serials: q.Serials, Unit: calib.ADU, Rows: 352, Cols: 384}
		for r := range 7 {
			for range epixPixels {
				s.Pedestals, s.Gains = append(s.Pedestals, 100*float32(r)), append(s.Gains, 1)
			}
		}
		s.Seal()
		return s, nil
	}}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 40 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
}
