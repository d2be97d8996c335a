package xtc_test

import (
	"fmt"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// manyNames is a file whose Configure has so many detectors of two segments each, twice over.
func manyNames(t testing.TB, detectors int) string {
	var payload []byte
	for i := range 2 * detectors {
		n := &xtc.Names{ID: xtc.NewNamesID(uint32(1+i/250), uint32(i%250)), DetType: "test", DetName: fmt.Sprintf("d%d", i%detectors),
			DetID: fmt.Sprint(i), Alg: "raw", Segment: uint32(i / detectors), Entries: []xtc.Name{{Name: "a", Type: xtc.UInt8}}}
		payload = must(n.AppendTo(payload))
	}
	return testkit.File(t, testkit.Plain(xtc.Configure, 1, payload...), testkit.Plain(xtc.Unconfigure, 2),
		testkit.Plain(xtc.Configure, 3, payload...))
}

func TestLsOfManyNames(t *testing.T) {
	const detectors = 3000
	l := must(xtc.Ls(manyNames(t, detectors)))
	if len(l.Detectors) != detectors || l.Note != "" {
		t.Fatalf("%d detectors, %s", len(l.Detectors), l.Note)
	}
	for i, d := range l.Detectors {
		if d.Name != fmt.Sprintf("d%d", i) || len(d.IDs) != 2 || d.IDs[1] != fmt.Sprint(i+detectors) || d.Segments[1] != 1 || len(d.NamesIDs) != 2 {
			t.Fatalf("%d is %+v", i, d)
		}
	}
}

// BenchmarkLs tells whether the time of a Names depends on how many there are.
func BenchmarkLs(b *testing.B) {
	for _, detectors := range []int{1000, 4000, 16000} {
		b.Run(fmt.Sprint(detectors), func(b *testing.B) {
			path := manyNames(b, detectors)
			for b.Loop() {
				_ = must(xtc.Ls(path))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(4*detectors), "ns/Names")
		})
	}
}
