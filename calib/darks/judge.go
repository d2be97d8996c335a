package darks

import (
	"math"
	"slices"

	"drp/calib"
)

const statusFew = calib.StatusFew

// judge marks pixels that differ from the others. What had too few frames is not judged any further.
func (v view) judge(l Limits, dataBits int) {
	var pedestals, noises []float64
	for i, s := range v.status {
		if s == 0 {
			pedestals, noises = append(pedestals, float64(v.pedestals[i])), append(noises, float64(v.rms[i]))
		}
	}
	if len(pedestals) == 0 {
		return
	}
	ped, pedSigma := spread(pedestals)
	noise, noiseSigma := spread(noises)
	// Pedestals and noises that hardly differ would make every pixel stand out.
	pedSigma, noiseSigma = max(pedSigma, noise/4), max(noiseSigma, noise/20)
	highest := float64(int(1)<<dataBits - 1)
	for i := range v.status {
		if v.status[i] != 0 {
			continue
		}
		p, r := float64(v.pedestals[i]), float64(v.rms[i])
		switch {
		case r > noise+l.Noise*noiseSigma:
			v.status[i] |= calib.StatusNoisy
		case noise > leastSigma && r < noise/10:
			v.status[i] |= calib.StatusQuiet
		}
		switch {
		case p > ped+l.Pedestal*pedSigma || p >= highest:
			v.status[i] |= calib.StatusHigh
		case p < ped-l.Pedestal*pedSigma || p <= 0:
			v.status[i] |= calib.StatusLow
		}
	}
}

// spread is the median of some values and how far they are away from it, as a standard deviation.
func spread(values []float64) (median, sigma float64) {
	sorted := slices.Clone(values)
	median = medianOf(sorted)
	for i, x := range sorted {
		sorted[i] = math.Abs(x - median)
	}
	return median, toSigma * medianOf(sorted)
}
