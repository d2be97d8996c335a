package calib

import "strings"

// Bits of a status. The first six are psana's; a value whose status is not 0 is not used.
const (
	StatusNoisy   uint16 = 1 << 0 // the noise is too high
	StatusQuiet   uint16 = 1 << 1 // there is no noise: the pixel is dead
	StatusHigh    uint16 = 1 << 4 // the pedestal is far above the others
	StatusLow     uint16 = 1 << 5 // or far below
	StatusFew     uint16 = 1 << 6 // too few frames of the darks had the pixel in this range
	StatusUnknown uint16 = 1 << 8 // a constant is not known
)

// StatusText names the bits of a status: "noisy|high"; good is "good".
func StatusText(status uint16) string {
	var names []string
	for _, b := range []struct {
		bit  uint16
		name string
	}{
		{StatusNoisy, "noisy"}, {StatusQuiet, "quiet"}, {StatusHigh, "high"}, {StatusLow, "low"}, {StatusFew, "few frames"},
		{StatusUnknown, "unknown"},
	} {
		if status&b.bit != 0 {
			names = append(names, b.name)
			status &^= b.bit
		}
	}
	if status != 0 {
		names = append(names, "other")
	}
	if names == nil {
		return "good"
	}
	return strings.Join(names, "|")
}
