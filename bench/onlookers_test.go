package bench

import (
	"math"
	"testing"
)

// TestStandardError: of values whose spread is known, and of one that was disturbed among them.
func TestStandardError(t *testing.T) {
	var values []float64
	for i := range 1000 {
		values = append(values, 1+0.02*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/1000-1)) // of a normal distribution
	}
	want := 0.02 * 1.2533 / math.Sqrt(1000)
	values[7] = 40
	if got := standardError(values); math.Abs(got/want-1) > 0.02 {
		t.Errorf("%g, want %g", got, want)
	}
	if !math.IsInf(standardError(values[:3]), 1) {
		t.Error("three values tell an error")
	}
}

// TestJudge: who costs more than 1 % is named, by throughput and by memory.
func TestJudge(t *testing.T) {
	r := &Report{}
	for name, with := range map[string]float64{"calm_4k": 999, "costly_4k": 980} {
		r.add("with_"+name, "1/s", name, with)
		r.add("without_"+name, "1/s", "without", 1000)
		r.add("memory_with_"+name, "MB", name, 2000-with)
		r.add("memory_without_"+name, "MB", "without", 1000)
	}
	r.settle()
	(&watching{report: r}).judge()
	if missed := r.Missed(); len(r.Bars) != 4 || len(missed) != 2 {
		t.Errorf("%v", r.Bars)
	}
}
