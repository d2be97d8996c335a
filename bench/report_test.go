package bench

import (
	"bytes"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{4, 2}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{1, 100, 2, 3}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v", c.values, got)
		}
	}
}

func TestBarsAreJudged(t *testing.T) {
	var r Report
	for _, v := range []float64{10, 20, 30} {
		r.add("fast", "1/s", "", 10*v)
		r.add("slow", "1/s", "", v)
	}
	r.add("alone", "1/s", "", 40)
	r.settle()
	r.bar("ten times", "fast", "slow", 10, false)
	r.bar("eleven times", "fast", "slow", 11, false)
	r.bar("a tenth", "slow", "fast", 0.1, true)
	r.bar("a twentieth", "slow", "fast", 0.05, true)
	r.bar("of the medians", "alone", "slow", 2, false)
	held := []bool{true, false, true, false, true}
	for i, b := range r.Bars {
		if b.Held != held[i] {
			t.Errorf("%v: held %v", b, b.Held)
		}
	}
	missed := r.Missed()
	if len(missed) != 2 || !strings.Contains(missed[0], "eleven times") || !strings.Contains(missed[1], "a twentieth") {
		t.Errorf("missed: %q", missed)
	}
	var out bytes.Buffer
	r.Print(&out)
	if strings.Count(out.String(), "MISSED") != 2 {
		t.Errorf("printed:\n%s", out.String())
	}
}

// Where two figures were measured in turns, a disturbance of some turns must not move the ratio.
func TestRatiosAreTakenTurnByTurn(t *testing.T) {
	var r Report
	for _, speed := range []float64{1, 1, 7, 9, 8} {
		r.add("a", "us", "", 2*speed)
		r.add("b", "us", "", speed)
	}
	r.settle()
	r.bar("twice", "a", "b", 2, true)
	if r.Bars[0].Ratio != 2 {
		t.Errorf("ratio %v", r.Bars[0].Ratio)
	}
}
