package record_test

import (
	"os"
	"testing"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

// eventsWork records events as the collector does: 64 to a write.
func eventsWork(tb testing.TB, r *record.Recorder, d xtc.Dgram, removed []int, added []byte) func() {
	ids, n := idsOf(removed), 0
	return func() {
		if err := r.Event(d, ids, added, xtc.DamageUserDefined); err != nil {
			tb.Fatal(err)
		}
		if n++; n%64 == 0 {
			if _, err := r.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

var large = testkit.Camera{Segments: 6, Rows: 100, Cols: 200}

var workTests = []struct {
	name    string
	c       testkit.Camera
	nodes   []node
	removed []int
}{
	{"as it is", camera, flat, nil},
	{"half of it", camera, flat, []int{0, 2}},
	{"nested", camera, nested, []int{1, 3}},
	{"large", large, flat, []int{0}},
	{"large and nested", large, nested, []int{1}},
}

func TestNoAllocsPerEvent(t *testing.T) {
	for _, test := range workTests {
		t.Run(test.name, func(t *testing.T) {
			r := open(t, t.TempDir())
			put(t, r, camera.Configure(1), -1)
			work := eventsWork(t, r, event(2, 0, encode(nil, test.c, 1, test.nodes)), test.removed, block(5, 1))
			if n := testing.AllocsPerRun(200, work); n != 0 {
				t.Errorf("%v allocations per event", n)
			}
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	for _, test := range workTests {
		b.Run(test.name, func(b *testing.B) {
			const fileBytes = 256 << 20 // then a new file, so that a long benchmark does not fill the disk
			d := event(2, 0, encode(nil, test.c, 1, test.nodes))
			b.SetBytes(int64(len(d)))
			b.ReportAllocs()
			var r *record.Recorder
			var work func()
			for b.Loop() {
				if r == nil || r.Bytes() > fileBytes {
					r = renew(b, r)
					work = eventsWork(b, r, d, test.removed, block(5, 1))
				}
				work()
			}
		})
	}
}

// renew leaves a recorder and its files and begins others.
func renew(b *testing.B, old *record.Recorder) *record.Recorder {
	b.Helper()
	if err := old.Abandon(); err != nil {
		b.Fatal(err)
	}
	for _, path := range old.Files() {
		_ = os.Remove(path)
	}
	r := open(b, b.TempDir())
	put(b, r, camera.Configure(1), -1)
	return r
}
