package watch_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"drp/watch"
)

func TestEachDurationIsInTheFirstBucketWhoseBoundIsNotBelow(t *testing.T) {
	limits := watch.Bounds()
	durations := []time.Duration{-1, 0, 1, time.Microsecond - 1, time.Microsecond, time.Microsecond + 1, 2 * time.Microsecond,
		2*time.Microsecond + 1, 67108864 * time.Microsecond, 67108864*time.Microsecond + 1, time.Hour, 1<<63 - 1}
	for range 1000 {
		durations = append(durations, time.Duration(rand.Int64N(1<<rand.IntN(40)+1)))
	}
	for _, d := range durations {
		var h watch.Histogram
		h.Add(d)
		l := h.Latency()
		for i, n := range l.Counts {
			above := i == len(limits) || max(d, 0).Seconds() <= limits[i]
			beyond := i == 0 || max(d, 0).Seconds() > limits[i-1]
			if want := above && beyond; (n == 1) != want {
				t.Errorf("%v: bucket %d has %d", d, i, n)
			}
		}
		if l.Count != 1 {
			t.Errorf("%v is counted %d times", d, l.Count)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var h watch.Histogram
	if l := h.Latency(); l.P50 != 0 || l.P99 != 0 {
		t.Errorf("of nothing: %+v", l)
	}
	for range 98 {
		h.Add(3 * time.Microsecond)
	}
	before := h.Latency()
	h.Add(time.Millisecond)
	h.Add(time.Hour)
	l := h.Latency()
	if l.P50 != 4e-6 || l.P99 != 1024e-6 || l.Quantile(1) != (134217728*time.Microsecond).Seconds() {
		t.Errorf("%v %v %v", l.P50, l.P99, l.Quantile(1))
	}
	since := l.Since(&before)
	if since.Count != 2 || since.P50 != 1024e-6 {
		t.Errorf("%+v", since)
	}
	twice := watch.Sum([]watch.Latency{l, l, since})
	if twice.Count != 202 || twice.Seconds != 2*l.Seconds+since.Seconds || twice.P50 != 4e-6 {
		t.Errorf("%+v", twice)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	var h watch.Histogram
	if n := testing.AllocsPerRun(100, func() { h.Add(time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	var h watch.Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Add(12345)
	}
}
