package draw

import (
	"image"
	"image/color"
	"strconv"
)

// Depth is how many colours a terminal has.
type Depth int

// Those that there are.
const (
	Colourless Depth = iota
	Palette          // of 256: a cube of 6 x 6 x 6, and greys
	Full             // 24 bits
)

// ramp are letters from dark to bright, for terminals without colours.
const ramp = " .:-=+*#%@"

// Blocks writes an image in lines of text, two rows of points in each: the upper half of a letter has one colour, the lower
// half another. Points that are transparent are left as the terminal is. Without colours letters are brighter or darker, and
// an o where one of the points is the mark.
func Blocks(img *image.RGBA, depth Depth, mark color.RGBA) (lines []string) {
	b := img.Bounds()
	w := blockWriter{depth: depth, mark: mark}
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		w.line, w.upper, w.lower = w.line[:0], "", ""
		for x := b.Min.X; x < b.Max.X; x++ {
			low := color.RGBA{}
			if y+1 < b.Max.Y {
				low = img.RGBAAt(x, y+1)
			}
			w.cell(img.RGBAAt(x, y), low)
		}
		if depth != Colourless {
			w.line = append(w.line, "\x1b[0m"...)
		}
		lines = append(lines, string(w.line))
	}
	return lines
}

// blockWriter writes a line; a colour is named again only where it changes.
type blockWriter struct {
	depth        Depth
	mark         color.RGBA
	line         []byte
	upper, lower string // colours as they are named; of the letter, and behind it
}

func (w *blockWriter) cell(up, low color.RGBA) {
	switch {
	case w.depth == Colourless:
		w.line = append(w.line, w.letter(up, low))
	case up.A == 0 && low.A == 0:
		w.colours("", "49")
		w.line = append(w.line, ' ')
	case up.A == 0:
		w.colours("38;"+w.name(low), "49")
		w.line = append(w.line, "▄"...)
	case low.A == 0:
		w.colours("38;"+w.name(up), "49")
		w.line = append(w.line, "▀"...)
	default:
		w.colours("38;"+w.name(up), "48;"+w.name(low))
		w.line = append(w.line, "▀"...)
	}
}

// colours changes to those of the next letter; the first is of no matter if it is empty.
func (w *blockWriter) colours(upper, lower string) {
	if upper != "" && upper != w.upper {
		w.line = append(append(append(w.line, "\x1b["...), upper...), 'm')
		w.upper = upper
	}
	if lower != w.lower && (w.lower != "" || lower != "49") {
		w.line = append(append(append(w.line, "\x1b["...), lower...), 'm')
		w.lower = lower
	}
}

func (w *blockWriter) name(c color.RGBA) string {
	if w.depth == Palette {
		return "5;" + strconv.Itoa(paletteIndex(c))
	}
	return "2;" + strconv.Itoa(int(c.R)) + ";" + strconv.Itoa(int(c.G)) + ";" + strconv.Itoa(int(c.B))
}

func (w *blockWriter) letter(up, low color.RGBA) byte {
	if up == w.mark || low == w.mark {
		return 'o'
	}
	sum, n := 0, 0
	for _, c := range [...]color.RGBA{up, low} {
		if c.A != 0 {
			sum += (299*int(c.R) + 587*int(c.G) + 114*int(c.B)) / 1000
			n++
		}
	}
	if n == 0 {
		return ' '
	}
	return ramp[sum/n*len(ramp)/256]
}

// paletteIndex is the nearest of the 256 colours, without the first 16, which everybody may choose.
func paletteIndex(c color.RGBA) int {
	steps := [...]int{0, 95, 135, 175, 215, 255}
	nearest := func(v uint8) (i int) {
		for k, s := range steps {
			if abs(s-int(v)) < abs(steps[i]-int(v)) {
				i = k
			}
		}
		return i
	}
	far := func(r, g, b int) int {
		dr, dg, db := r-int(c.R), g-int(c.G), b-int(c.B)
		return dr*dr + dg*dg + db*db
	}
	r, g, b := nearest(c.R), nearest(c.G), nearest(c.B)
	grey := min(23, max(0, ((int(c.R)+int(c.G)+int(c.B))/3-3)/10))
	if v := 8 + 10*grey; far(v, v, v) < far(steps[r], steps[g], steps[b]) {
		return 232 + grey
	}
	return 16 + 36*r + 6*g + b
}

func abs(v int) int { return max(v, -v) }
