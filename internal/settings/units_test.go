package settings_test

import (
	"math"
	"testing"

	"drp/internal/settings"
)

// TestUnits: a number means the same however it is written, to the last digit; NaN is what is none.
func TestUnits(t *testing.T) {
	lengths, none := settings.Units{"m": 0, "mm": -3}, math.NaN()
	for text, want := range map[string]float64{
		"0.095": 0.095, "95mm": 0.095, " 95 mm ": 0.095, "0.095m": 0.095, "9.5e1mm": 0.095, "123.4mm": 0.1234, "0mm": 0, "-1mm": -0.001,
		"9.5e+1 mm": 0.095, "": none, "mm": none, "m": none, "95cm": none, "95 m m": none, "95MM": none, "infm": none, "nanmm": none, "0x1m": none,
		"1e999m": none, "1e-400m": none, "1em": none, "1e1e1m": none, "1_0m": none, "1e9223372036854775807m": none, "1e-9223372036854775807mm": none,
	} {
		if got, ok := lengths.Read(text); ok == math.IsNaN(want) || ok && got != want {
			t.Errorf("%q is %v, %v, and not %v", text, got, ok, want)
		}
	}
	if got, ok := (settings.Units{"keV": 3}).Read("1.005keV"); !ok || got != 1005 {
		t.Error(got, ok)
	}
	if got, ok := settings.Units(nil).Read("95m"); ok {
		t.Error(got)
	}
}
