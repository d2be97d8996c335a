package correct

import (
	"fmt"
	"strings"
)

// Distance is how far the first panel is away from the sample, in metres. It is an error where the geometry leaves that to
// the data.
func (g *Geometry) Distance() (float64, error) {
	p := &g.Panels[0]
	d, err := Metres(p.CLen)
	if err != nil {
		return 0, fmt.Errorf("geometry: clen = %.40q: %w", p.CLen, err)
	}
	return d + p.COffset, nil
}

// Metres reads a length as geometry files have it: 0.095, 0.095 m or 95 mm.
func Metres(text string) (float64, error) {
	number, scale := strings.TrimSpace(text), 1.
	if rest, mm := strings.CutSuffix(number, "mm"); mm {
		number, scale = strings.TrimSpace(rest), 1e-3
	} else if rest, m := strings.CutSuffix(number, "m"); m {
		number = strings.TrimSpace(rest)
	}
	v, err := finite(number)
	return v * scale, err
}
