package correct

import "drp/calib"

// Ranges gives the gain range of each pixel of a segment with this configuration: ranges[0] where the gain bit of the raw
// pixel is 0, ranges[1] where it is 1; -1 means nothing.
func (c *Config) Ranges(model *calib.Model, rows, cols int) (ranges [2][]int8, err error) {
	words, err := c.words(model, rows, cols)
	if err != nil {
		return ranges, err
	}
	for bit := range ranges {
		ranges[bit] = make([]int8, len(words))
		for i, w := range words {
			ranges[bit][i] = int8(rangeOf(w, bit == 1))
		}
	}
	return ranges, nil
}
