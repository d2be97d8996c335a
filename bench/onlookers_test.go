package bench

import (
	"math"
	"slices"
	"strings"
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

// TestJudge: who costs more than 1 % is named, by throughput and by memory, but not where it may be chance.
func TestJudge(t *testing.T) {
	r := &Report{}
	for name, with := range map[string][]float64{"slow_4k": {998, 999, 999, 1000}, "stopped_4k": {979, 980, 980, 981},
		"crashed_4m": {800, 900, 1060, 1100}, "browser_4k": {940, 941, 941, 942}} {
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
	if want := []string{"memory_with_browser_4k", "memory_with_stopped_4k", "with_stopped_4k"}; len(r.Bars) != 8 || !slices.Equal(missed, want) {
		t.Errorf("missed are %v, want %v; %v", missed, want, r.Bars)
	}
	if len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "crashed_4m: the machine is restless") {
		t.Errorf("%q", r.Notes)
	}
}
