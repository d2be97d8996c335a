package bench

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestTrimmed: of values whose spread is known, and of some that were disturbed among them.
func TestTrimmed(t *testing.T) {
	var values []float64
	for i := range 1000 {
		values = append(values, 1+0.02*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/1000-1)) // of a normal distribution
	}
	for i := range 20 {
		values[i*50] = 40
	}
	want := 1.155 * 0.02 * 1.06 / math.Sqrt(1000) // the error of such a mean is 1.06 times that of one of all
	mean, got := trimmed(values)
	if math.Abs(got/want-1) > 0.1 || math.Abs(mean-1) > 0.001 {
		t.Errorf("%g, with an error of %g, want %g", mean, got, want)
	}
	if _, e := trimmed(values[:3]); !math.IsInf(e, 1) {
		t.Error("three values tell an error")
	}
}

// TestJudge: who costs more than 1 % is named, by throughput and by memory, but not where it may be chance.
func TestJudge(t *testing.T) {
	r := &Report{}
	for name, with := range map[string][]float64{"slow_4k": {998, 999, 999, 1000}, "stopped_4k": {979, 980, 980, 981},
		"crashed_4m": {800, 900, 1060, 1100}, "browser_4k": {960, 961, 961, 962}} {
		for _, v := range with {
			r.add("with_"+name, "1/s", name, v)
			r.add("without_"+name, "1/s", "without", 1000)
			r.add("memory_with_"+name, "MB", name, 2000-v)
			r.add("memory_without_"+name, "MB", "without", 1000)
		}
	}
	r.settle()
	(&watching{report: r}).judge()
	var missed []string
	for _, b := range r.Bars {
		if !b.Held {
			missed = append(missed, b.Of)
		}
	}
	slices.Sort(missed)
	if want := []string{"memory_with_browser_4k", "memory_with_stopped_4k", "with_browser_4k", "with_stopped_4k"}; len(r.Bars) != 8 || !slices.Equal(missed, want) {
		t.Errorf("missed are %v, want %v; %v", missed, want, r.Bars)
	}
	if len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "crashed_4m: the machine is restless") {
		t.Errorf("%q", r.Notes)
	}
}
