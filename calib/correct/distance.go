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
	number, parts := strings.TrimSpace(text), 1.
	if rest, mm := strings.CutSuffix(number, "mm"); mm {
		number, parts = strings.TrimSpace(rest), 1e3
	} else if rest, m := strings.CutSuffix(number, "m"); m {
		number = strings.TrimSpace(rest)
	}
	v, err := finite(number)
	return v / parts, err // and not times 1e-3: 123.4 mm would not be 0.1234
}

// HC is the wavelength of photons in angstrom times their energy in eV.
const HC = 12398.42

// energyOf reads the energy of the photons in eV out of a line of a geometry file, 0 where it is not there.
func energyOf(key, value string) float64 {
	number, unit, _ := strings.Cut(value, " ")
	v, err := finite(number)
	if err != nil || v <= 0 {
		return 0
	}
	switch key + " " + strings.TrimSpace(unit) {
	case "photon_energy ", "photon_energy eV":
		return v
	case "photon_energy keV":
		return 1e3 * v
	case "photon_energy MeV":
		return 1e6 * v
	case "wavelength A":
		return HC / v
	case "wavelength m":
		return HC / (1e10 * v)
	}
	return 0
}
