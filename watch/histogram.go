package watch

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// bounds is the number of bounds of a Histogram: powers of two from 1 µs to 67 s. What is longer is only counted.
const bounds = 27

// Bounds are the upper bounds of the buckets, in seconds.
func Bounds() []float64 {
	all := make([]float64, bounds)
	for i := range all {
		all[i] = (time.Microsecond << i).Seconds()
	}
	return all
}

// Histogram counts durations. The zero value is empty.
type Histogram struct {
	buckets [bounds + 1]atomic.Uint64
	sum     atomic.Int64 // ns
}

// Add counts a duration. It neither allocates nor waits.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
}

// bucketOf gives the bucket whose bound is the first that is not below d.
func bucketOf(d time.Duration) int {
	return min(bits.Len64(uint64(max(d-1, 0)/time.Microsecond)), bounds)
}

// Latency reads it.
func (h *Histogram) Latency() Latency {
	l := Latency{Seconds: time.Duration(h.sum.Load()).Seconds(), Counts: make([]uint64, bounds+1)}
	for i := range h.buckets {
		l.Counts[i] = h.buckets[i].Load()
		l.Count += l.Counts[i]
	}
	l.P50, l.P99 = l.Quantile(0.5), l.Quantile(0.99)
	return l
}

// Latency is how long something took, since it is measured.
type Latency struct {
	Count   uint64   `json:"count" doc:"durations that were measured"`
	Seconds float64  `json:"seconds" doc:"their sum"`
	P50     float64  `json:"p50" doc:"seconds that half of them did not exceed, rounded up to a bound"`
	P99     float64  `json:"p99" doc:"seconds that 99 % of them did not exceed, rounded up to a bound"`
	Counts  []uint64 `json:"counts" doc:"how many lie between each of latency_bounds and the one before; the last is of those above all"`
}

// Quantile gives the bound that a part of the durations did not exceed; 0 where there are none, and twice the last bound
// where it lies above that.
func (l *Latency) Quantile(part float64) float64 {
	if l.Count == 0 {
		return 0
	}
	below := uint64(0)
	for i, n := range l.Counts {
		if below += n; n > 0 && float64(below) >= part*float64(l.Count) {
			return (time.Microsecond << i).Seconds()
		}
	}
	return 0
}

// Since gives what came after an earlier reading of the same.
func (l *Latency) Since(before *Latency) Latency {
	d := Latency{Count: l.Count - before.Count, Seconds: l.Seconds - before.Seconds, Counts: make([]uint64, len(l.Counts))}
	for i := range l.Counts {
		d.Counts[i] = l.Counts[i]
		if i < len(before.Counts) {
			d.Counts[i] -= before.Counts[i]
		}
	}
	d.P50, d.P99 = d.Quantile(0.5), d.Quantile(0.99)
	return d
}

// Sum joins latencies.
func Sum(all []Latency) Latency {
	s := Latency{Counts: make([]uint64, bounds+1)}
	for i := range all {
		s.Count += all[i].Count
		s.Seconds += all[i].Seconds
		for k, n := range all[i].Counts {
			s.Counts[k] += n
		}
	}
	s.P50, s.P99 = s.Quantile(0.5), s.Quantile(0.99)
	return s
}
