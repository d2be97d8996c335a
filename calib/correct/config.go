package correct

import (
	"fmt"
	"strings"

	"drp/calib"
)

// Config is how the pixels of a segment are configured, as ePix10ka and ePixHR say it in Configure. For others it is not
// needed.
type Config struct {
	Pixels []uint8  // asicPixelConfig: ePix10ka (4, rows/2 or rows/2 + 2, cols/2); ePixHR as the segment, (rows, cols)
	TRBits [4]uint8 // trbit of each ASIC
}

// Bits of a pixel's configuration word; psana moves the data bit to bit 5, which is done in rangeOf.
const (
	gainBits = 0b01100 // g and ga of the ASIC's matrix; the lower two are test and mask
	trBit    = 0b10000
)

// rangeOf gives the gain range of a configured pixel by its word and the bit above its data, -1 where there is none. The
// table is psana's gain_maps_epix10ka_any_alg.
func rangeOf(word uint8, dataBit bool) int {
	switch {
	case word&(trBit|gainBits) == trBit|gainBits:
		return 0 // FH
	case word&(trBit|gainBits) == gainBits:
		return 1 // FM
	case word&gainBits == 0b01000:
		return 2 // FL
	case word&gainBits == 0b00100:
		return -1 // means nothing
	}
	at := 4 // AML_M
	if word&trBit != 0 {
		at = 3 // AHL_H
	}
	if dataBit {
		at += 2 // and what they switch to
	}
	return at
}

// words lays the configuration of the ASICs out as the segment is read, with the bit of the ASIC. ePix10ka has ASIC 0 at
// the lower right, 1 at the upper right, 2 at the upper left and 3 at the lower left, the upper ones turned by 180
// degrees (psana's cbits_config_epix10ka). ePixHR is laid out already, with ASICs 1 and 3 above 0 and 2
// (cbits_config_epixhr2x2), or four side by side (cbits_config_epixhr1x4).
func (c *Config) words(model *calib.Model, rows, cols int) ([]uint8, error) {
	words := make([]uint8, rows*cols)
	hr := strings.HasPrefix(model.Name, "epixhr")
	spare := 0 // rows of each ASIC that no pixel has
	if !hr && len(c.Pixels) == 4*(rows/2+2)*(cols/2) {
		spare = 2
	}
	if rows%2 != 0 || cols%4 != 0 || len(c.Pixels) != rows*cols+4*spare*(cols/2) {
		return nil, fmt.Errorf("asicPixelConfig has %d values, and %s has %d x %d pixels", len(c.Pixels), model.Name, rows, cols)
	}
	h, w := rows/2, cols/2
	for i := range words {
		row, col := i/cols, i%cols
		lower, right := row >= h, col >= w
		asic, at := 0, i
		switch {
		case strings.HasPrefix(model.Name, "epixhr1x4"):
			asic = col / (cols / 4)
		case hr:
			asic = pick(right, pick(lower, 2, 3), pick(lower, 0, 1))
		case lower:
			asic = pick(right, 0, 3)
			at = (asic*(h+spare)+row-h)*w + col%w
		default:
			asic = pick(right, 1, 2)
			at = (asic*(h+spare)+h-1-row)*w + w - 1 - col%w
		}
		words[i] = c.Pixels[at] & gainBits
		if c.TRBits[asic] != 0 {
			words[i] |= trBit
		}
	}
	return words, nil
}

func pick(yes bool, a, b int) int {
	if yes {
		return a
	}
	return b
}
