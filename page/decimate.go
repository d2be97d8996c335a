package page

import "math"

// pixel is what pictures are made of: pixels as they came, corrected ones, and sums.
type pixel interface{ uint16 | float32 | float64 }

// decimate gives the mean of the good pixels of each place of some runs, NaN where there is none.
func decimate[T pixel](to []float32, p *plan, runs []run, from []T) {
	for i := range runs {
		r := &runs[i]
		out := to[r.at:][:r.n]
		switch {
		case r.how == even && p.bin == 1 && r.right == 1:
			for k, v := range from[r.first:][:len(out)] {
				out[k] = float32(v)
			}
		case r.how == even && p.bin == 1:
			for k, at := 0, int(r.first); k < len(out); k, at = k+1, at+int(r.right) {
				out[k] = float32(from[at])
			}
		case r.how == even && p.bin == 2:
			pairs(out, r, from)
		case r.how == even:
			squares(out, r, p.bin, from)
		case r.how == odd:
			for k, o := range p.odd[r.first:][:r.n] {
				sum := float32(0)
				for _, at := range p.pixels[o.first:][:o.n] {
					sum += float32(from[at])
				}
				out[k] = sum * o.share
			}
		default:
			for k := range out {
				out[k] = float32(math.NaN())
			}
		}
	}
}

// pairs is for places of 2 x 2 pixels, the usual ones.
func pairs[T pixel](out []float32, r *run, from []T) {
	if r.right == 1 {
		pairsInRows(out, from[r.first:][:2*len(out)], from[r.first+r.down:][:2*len(out)])
		return
	}
	at, right, down := int(r.first), int(r.right), int(r.down)
	for k := range out {
		out[k] = (float32(from[at]) + float32(from[at+right]) + float32(from[at+down]) + float32(from[at+right+down])) * 0.25
		at += 2 * right
	}
}

func pairsInRows[T pixel](out []float32, upper, lower []T) {
	done := 0
	switch a := any(upper).(type) {
	case []uint16: // whose sum is exact
		b := any(lower).([]uint16)
		for k := range out {
			u, l := a[2*k:][:2], b[2*k:][:2]
			out[k] = float32(int32(u[0])+int32(u[1])+int32(l[0])+int32(l[1])) * 0.25
		}
		return
	case []float32:
		done = pairsInVectors(out, a, any(lower).([]float32))
	}
	for k := done; k < len(out); k++ {
		a, b := upper[2*k:][:2], lower[2*k:][:2]
		out[k] = (float32(a[0]) + float32(a[1]) + float32(b[0]) + float32(b[1])) * 0.25
	}
}

// squares is for places of other sizes.
func squares[T pixel](out []float32, r *run, bin int, from []T) {
	share, at, right, down := 1/float32(bin*bin), int(r.first), int(r.right), int(r.down)
	for k := range out {
		sum := float32(0)
		for row := range bin {
			i := at + row*down
			for range bin {
				sum += float32(from[i])
				i += right
			}
		}
		out[k] = sum * share
		at += bin * right
	}
}

// decimateSome is decimate for values of which some are none: those of a place that came to none are looked at one by one.
func decimateSome[T float32 | float64](to []float32, p *plan, from []T) {
	decimate(to, p, p.runs, from)
	for i := range p.runs {
		r := &p.runs[i]
		if r.how == empty {
			continue
		}
		for k, v := range to[r.at:][:r.n] {
			if v-v != 0 {
				to[int(r.at)+k] = someOf(p, r, k, from)
			}
		}
	}
}

// someOf is the mean of the values of a place that are some; 0/0 is none.
func someOf[T float32 | float64](p *plan, r *run, k int, from []T) float32 {
	sum, n := float32(0), float32(0)
	add := func(at int32) {
		if v := float32(from[at]); v-v == 0 {
			sum += v
			n++
		}
	}
	if r.how == odd {
		o := p.odd[int(r.first)+k]
		for _, at := range p.pixels[o.first:][:o.n] {
			add(at)
		}
		return sum / n
	}
	for j := range p.bin * p.bin {
		add(r.pixel(k, j, p.bin))
	}
	return sum / n
}
