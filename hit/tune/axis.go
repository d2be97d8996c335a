package tune

import (
	"fmt"
	"strings"

	"drp/hit"
)

// Axis is a parameter, and the values that are tried.
type Axis struct {
	Name   string
	Values []string
}

// maxPoints bounds a grid: more are a mistake, or would take a day.
const maxPoints = 10000

// ParseAxis reads NAME=VALUE,VALUE,…
func ParseAxis(text string) (Axis, error) {
	name, values, ok := strings.Cut(text, "=")
	a := Axis{Name: strings.TrimSpace(name)}
	for v := range strings.SplitSeq(values, ",") {
		if v = strings.TrimSpace(v); v == "" {
			ok = false
		}
		a.Values = append(a.Values, v)
	}
	if !ok || a.Name == "" {
		return a, fmt.Errorf("%q: give a parameter and its values, as min_snr=5,6,7", text)
	}
	return a, nil
}

// Grid makes the configurations of all combinations; the last axis changes fastest.
func Grid(base hit.Config, axes []Axis) ([]Point, error) {
	total := 1
	for i, a := range axes {
		for _, other := range axes[:i] {
			if other.Name == a.Name {
				return nil, fmt.Errorf("%s is given twice: name all its values at once", a.Name)
			}
		}
		if total *= len(a.Values); total > maxPoints {
			return nil, fmt.Errorf("the grid has more than %d points: take fewer values", maxPoints)
		}
	}
	points := make([]Point, total)
	for i := range points {
		p := &points[i]
		p.Config = base
		for k, rest := len(axes)-1, i; k >= 0; k-- {
			v := axes[k].Values[rest%len(axes[k].Values)]
			rest /= len(axes[k].Values)
			p.Values = append([]string{v}, p.Values...)
		}
		for k, a := range axes { // the finder may be one of them, and comes first then
			if err := p.Config.Set(a.Name, p.Values[k]); err != nil {
				return nil, err
			}
		}
	}
	return points, nil
}
