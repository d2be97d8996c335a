package cxi

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"drp/calib/correct"
)

// Geometry says what a geometry file must fit.
type Geometry struct {
	Rows      int // of a segment; those of segment n begin at n*Rows of a frame
	Mask      bool
	Energy    bool    // the file has the photon energy of each event
	Distance  float64 // m; 0 leaves what the file says
	PerPhoton float64 // of a pixel; 0 is not known, and so is
	PerEV     float64
}

// ours are the keys that say where data are, which other files have elsewhere.
var ours = []string{"data", "peak_list", "peak_list_type", "peak_info_location", "dim0", "dim1", "dim2", "dim3", "dim4", "dim5", "dim6", "dim7",
	"min_ss", "max_ss"}

// Text makes of a geometry file one that fits a CXI file that a Writer has written. What it says of places, groups and bad
// regions stays, and so do its comments; masks go, since they are in other files, or at other places.
func (g *Geometry) Text(text string) (string, error) {
	parsed, err := correct.ParseGeometry(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	g.head(&b)
	dropped := slices.Clone(ours)
	if g.Energy {
		dropped = append(dropped, "photon_energy", "wavelength")
	}
	if g.Distance > 0 {
		dropped = append(dropped, "clen", "coffset")
	}
	if g.PerPhoton > 0 || g.PerEV > 0 {
		dropped = append(dropped, "adu_per_photon", "adu_per_eV")
	}
	numbered := slices.ContainsFunc(parsed.Panels, func(p correct.Panel) bool { return p.Index >= 0 })
	for line := range strings.Lines(text) {
		if !drop(line, dropped, numbered) {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	b.WriteString("\n; where panels are in the frames: rows of segment n begin at n*" + fmt.Sprint(g.Rows) + "\n")
	for i := range parsed.Panels {
		p := &parsed.Panels[i]
		shift := max(0, p.Index) * g.Rows
		fmt.Fprintf(&b, "%s/min_ss = %d\n%s/max_ss = %d\n", p.Name, p.MinSS+shift, p.Name, p.MaxSS+shift)
	}
	if numbered {
		g.bad(&b, parsed)
	}
	return b.String(), nil
}

// head says where the data are.
func (g *Geometry) head(b *strings.Builder) {
	b.WriteString("; made for a CXI file by drp convert\ndata = /entry_1/data_1/data\ndim0 = %\ndim1 = ss\ndim2 = fs\n" +
		"peak_list = /entry_1/result_1\npeak_list_type = cxi\n")
	if g.Mask {
		b.WriteString("mask = /entry_1/data_1/mask\nmask_good = 0x0\nmask_bad = 0x1\n")
	}
	if g.Energy {
		b.WriteString("photon_energy = /LCLS/photon_energy_eV\n")
	}
	if g.Distance > 0 {
		fmt.Fprintf(b, "clen = %.9g\n", g.Distance)
	}
	switch {
	case g.PerPhoton > 0:
		fmt.Fprintf(b, "adu_per_photon = %.9g\n", g.PerPhoton)
	case g.PerEV > 0:
		fmt.Fprintf(b, "adu_per_eV = %.9g\n", g.PerEV)
	}
	b.WriteString("\n")
}

// drop tells whether a line says what is said anew. Bad regions keep their limits, unless segments have numbers of their own.
func drop(line string, keys []string, numbered bool) bool {
	code, _, _ := strings.Cut(line, ";")
	name, _, _ := strings.Cut(code, "=")
	name = strings.TrimSpace(name)
	at := strings.LastIndexByte(name, '/')
	if strings.HasPrefix(name, "bad") && at > 0 {
		return numbered
	}
	return slices.Contains(keys, name[at+1:]) || strings.HasPrefix(name[at+1:], "mask")
}

// bad says bad regions anew: what was at a place of a stack of segments is at another row now.
func (g *Geometry) bad(b *strings.Builder, parsed *correct.Geometry) {
	for i := range parsed.Bad {
		r := &parsed.Bad[i]
		if r.Lab {
			fmt.Fprintf(b, "%s", limits(r.Name, [4]string{"min_x", "max_x", "min_y", "max_y"}, r, 0))
			continue
		}
		for k := range parsed.Panels {
			p := &parsed.Panels[k]
			if r.Panel != "" && r.Panel != p.Name {
				continue
			}
			name := r.Name
			if r.Panel == "" {
				name += "_" + p.Name
			}
			fmt.Fprintf(b, "%s%s/panel = %s\n", limits(name, [4]string{"min_fs", "max_fs", "min_ss", "max_ss"}, r, max(0, p.Index)*g.Rows),
				name, p.Name)
		}
	}
}

func limits(name string, keys [4]string, r *correct.BadRegion, shift int) string {
	var b strings.Builder
	for i, v := range [4]float64{r.Min1, r.Max1, r.Min2 + float64(shift), r.Max2 + float64(shift)} {
		if !math.IsInf(v, 0) {
			fmt.Fprintf(&b, "%s/%s = %.9g\n", name, keys[i], v)
		}
	}
	return b.String()
}
