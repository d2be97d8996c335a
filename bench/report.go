package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// Figure is one measured value.
type Figure struct {
	Name  string    `json:"name"`
	Value float64   `json:"value"` // median of Runs
	Unit  string    `json:"unit"`
	Runs  []float64 `json:"runs"`
	What  string    `json:"what"`
}

// Bar is a promise: a ratio of two figures and its bound.
type Bar struct {
	Name   string  `json:"name"`
	Ratio  float64 `json:"ratio"`
	Bound  float64 `json:"bound"`
	AtMost bool    `json:"at_most"` // else at least
	Held   bool    `json:"held"`
	Of     string  `json:"of"`    // figure
	Limit  string  `json:"limit"` // figure it is measured against

	// Error is the standard error of a ratio that was measured in turns, at most 1. It is missed where it is beyond its bound by
	// more than three times that: with forty bars, twice that would be chance now and then.
	Error float64 `json:"error,omitempty"`
}

// Report is all that a benchmark found.
type Report struct {
	Machine string   `json:"machine"`
	Python  string   `json:"python,omitempty"`
	Loops   string   `json:"loops,omitempty"` // what the loops over pixels are written in
	Figures []Figure `json:"figures"`
	Bars    []Bar    `json:"bars"`
	Notes   []string `json:"notes,omitempty"` // what was not measured
}

// add notes one round of a figure.
func (r *Report) add(name, unit, what string, value float64) {
	for i := range r.Figures {
		if r.Figures[i].Name == name {
			r.Figures[i].Runs = append(r.Figures[i].Runs, value)
			return
		}
	}
	r.Figures = append(r.Figures, Figure{Name: name, Unit: unit, What: what, Runs: []float64{value}})
}

// settle computes the medians.
func (r *Report) settle() {
	for i := range r.Figures {
		r.Figures[i].Value = median(r.Figures[i].Runs)
	}
}

func median(values []float64) float64 {
	v := slices.Clone(values)
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// find gives a figure by name.
func (r *Report) find(name string) Figure {
	for _, f := range r.Figures {
		if f.Name == name {
			return f
		}
	}
	return Figure{}
}

// bar judges the ratio of two figures. Where both were measured in turns it is the median of the ratios turn by turn,
// since what was measured together was disturbed together; otherwise the ratio of the medians.
func (r *Report) bar(name, of, limit string, bound float64, atMost bool) {
	a, b := r.find(of), r.find(limit)
	ratio := a.Value / b.Value
	if len(a.Runs) == len(b.Runs) {
		var ratios []float64
		for i := range a.Runs {
			ratios = append(ratios, a.Runs[i]/b.Runs[i])
		}
		ratio = median(ratios)
	}
	held := ratio >= bound
	if atMost {
		held = ratio <= bound
	}
	r.Bars = append(r.Bars, Bar{Name: name, Ratio: ratio, Bound: bound, AtMost: atMost, Held: held, Of: of, Limit: limit})
}

// toldApart is how many standard errors are no chance.
const toldApart = 3

// barInTurns judges a ratio of two figures whose turns tell how well it is known: a bar is missed where that cannot be chance. What
// could not be seen is noted.
func (r *Report) barInTurns(name, of, limit string, bound float64, atMost bool) {
	r.bar(name, of, limit, bound, atMost)
	b, a, l := &r.Bars[len(r.Bars)-1], r.find(of).Runs, r.find(limit).Runs
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / l[i]
	}
	b.Ratio, b.Error = trimmed(ratios)
	b.Error = min(1, b.Error)
	b.Held = atMost && b.Ratio <= bound || !atMost && b.Ratio >= bound || math.Abs(b.Ratio-bound) <= toldApart*b.Error
	if seen := toldApart * b.Error; seen > smallEffect {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: the machine is restless: what is less than %.1f %% beyond the bound cannot be seen", of, 100*seen))
	}
}

// smallEffect is what a ratio has to be known to.
const smallEffect = 0.01

// Missed names the bars that did not hold.
func (r *Report) Missed() []string {
	var names []string
	for _, b := range r.Bars {
		if !b.Held {
			names = append(names, b.String())
		}
	}
	return names
}

// String says what was promised and what was found.
func (b Bar) String() string {
	word := "at least"
	if b.AtMost {
		word = "at most"
	}
	if b.Error > 0 {
		return fmt.Sprintf("%s: %.4f ± %.4f, wanted %s %g (%s against %s)", b.Name, b.Ratio, b.Error, word, b.Bound, b.Of, b.Limit)
	}
	return fmt.Sprintf("%s: %.4g, wanted %s %g (%s against %s)", b.Name, b.Ratio, word, b.Bound, b.Of, b.Limit)
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s; %s%s\n", r.Machine, r.Python, r.Loops)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "  %-26s %14.6g %-9s [%.4g … %.4g]  %s\n", f.Name, f.Value, f.Unit, slices.Min(f.Runs), slices.Max(f.Runs), f.What)
	}
	for _, b := range r.Bars {
		verdict := "held  "
		if !b.Held {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "  %s %v\n", verdict, b)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
}
