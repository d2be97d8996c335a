package source_test

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"drp/pebble"
	"drp/source"
)

// A taker takes one datagram after the other, as the dispatcher does. Its loan, whose address goes through an interface,
// is used again.
type taker struct {
	p    *pebble.Pool
	s    source.Source
	loan pebble.Loan
}

func (k *taker) take(tb testing.TB) (n int, err error) {
	h, err := k.s.Next(context.Background())
	if err != nil {
		return 0, err
	}
	ref, err := fill(&k.loan, k.p, k.s, h)
	if err != nil {
		tb.Fatal(err)
	}
	n = len(ref.Bytes())
	ref.Release()
	return n, nil
}

func TestNoAllocsPerEvent(t *testing.T) {
	dir := t.TempDir()
	var times []uint64
	for i := range uint64(2500) {
		times = append(times, 10+2*i)
	}
	for i := range 2 {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		writeFile(t, filepath.Join(dir, streamName(i, 0)), join(f.begin(), f.events(times...), f.end(1e6)))
	}
	for name, names := range map[string][]string{
		"sim":              {tiny + "events=0,slow=0,bank=4"},
		"sim of one frame": {tiny + "events=0,slow=0,bank=1"},
		"one file":         {filepath.Join(dir, streamName(0, 0))},
		"two streams":      {dir},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, source.Options{}, names...)
			k := taker{p: openPool(t, s, 3), s: s}
			for range 4 {
				if _, err := k.take(t); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(2000, func() {
				if _, err := k.take(t); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations per event", n)
			}
		})
	}
}

func BenchmarkSim(b *testing.B) {
	for name, params := range map[string]string{"16 frames": "bank=16", "one frame": "bank=1"} {
		b.Run(name, func(b *testing.B) {
			s := newSim(b, "segments=4,events=0,slow=0,"+params)
			benchmark(b, s, func() source.Source { return s })
		})
	}
}

func BenchmarkFiles(b *testing.B) {
	dir := b.TempDir()
	var times []uint64
	for i := range uint64(1000) {
		times = append(times, 10+2*i)
	}
	for i := range 2 {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		writeFile(b, filepath.Join(dir, streamName(i, 0)), join(f.begin(), f.events(times...), f.end(1e6)))
	}
	for name, names := range map[string][]string{
		"one stream":  {filepath.Join(dir, streamName(0, 0))},
		"two streams": {dir},
	} {
		b.Run(name, func(b *testing.B) {
			open := func() source.Source { return must(source.Open(names, source.Options{Loop: true})) }
			s := open()
			benchmark(b, s, open)
		})
	}
}

// benchmark takes datagrams, from a source opened anew when one is through.
func benchmark(b *testing.B, s source.Source, open func() source.Source) {
	k, total, n := taker{p: openPool(b, s, 8), s: s}, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		size, err := k.take(b)
		if err == io.EOF {
			_ = k.s.Close()
			k.s = open()
		}
		total, n = total+size, n+1
	}
	b.SetBytes(int64(total / n))
	_ = k.s.Close()
}
