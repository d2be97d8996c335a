package nearest_test

import (
	"testing"

	"drp/internal/nearest"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"rate", "rate", 0}, {"rat", "rate", 1}, {"rtae", "rate", 2},
		{"kitten", "sitting", 3}, {"buf_bytes", "buf-bytes", 1},
	} {
		if got, back := nearest.Distance(test.a, test.b), nearest.Distance(test.b, test.a); got != test.want || back != test.want {
			t.Errorf("%q to %q: %d and %d, want %d", test.a, test.b, got, back, test.want)
		}
	}
}

func TestOf(t *testing.T) {
	all := []string{"b", "gain", "i", "threshold", "thresholds"}
	for word, want := range map[string]string{"treshold": "threshold", "gian": "gain", "thresholds": "thresholds", "": "", "roi": "", "x": "", "I": "i", "bb": "b", "xy": "",
		"GAIN": "gain"} {
		if got := nearest.Of(word, all); got != want {
			t.Errorf("%q is taken for %q, not %q", word, got, want)
		}
	}
}
