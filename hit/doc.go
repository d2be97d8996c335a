// Package hit finds hits in raw frames: Bragg peaks, photons, or more bright pixels than usual. It computes and does
// nothing else.
//
// A Plan is made once for a configuration and the constants of a run: what the finders need to know of each pixel. It is
// not changed any more, and all goroutines share it. Each of them makes a Finder of its own from it, which keeps its room
// from frame to frame:
//
//	plan, err := hit.NewPlan(config, camera)
//	finder := plan.NewFinder()
//	finder.Find(&frame, &result)
//
// The caller owns frames and results; a result's slices are filled anew and grow to at most what the configuration says.
//
// # Values
//
// All finders work on whole numbers, so that sums do not depend on the order in which they are made, and any number of
// threads, vectors of any width and a GPU find the same to the last bit. With the pixels "adu" a value is ADU less the
// rounded pedestal (and the common mode, where the constants have one). A pixel in another gain range has the value it
// would have had in the first one, calibrated value / gain factor of the first range, rounded; a saturated one is
// correct.Saturated there. With the pixels "calibrated" a value is the calibrated pixel in steps of a power of
// two, so fine as the largest pixel allows: 2^-15 photons for a JUNGFRAU. A pixel that is masked, dead, no measurement, on no panel or outside the limits of the radius is
// not used.
//
// # peakfinder8
//
// The definition is that of psana's peakfinder8 (slac-lcls/lcls2, psana/psana/peakFinder/peakfinder8.cc), without its
// reading beyond the list of a group. Pixels fall into bins by their distance from the beam, rounded to the nearest, half
// to even. For each bin, five times: mean m and deviation s of the values v with lo < v < hi, then
// hi = max(adc_threshold, m + min_snr*s) and lo = m - min_snr*s; at the start nothing is left out, and a bin without
// pixels has m = s = 0, the highest hi, and lo next above zero. Pixels with v > hi, together with all such neighbours (of
// eight, in the same panel), are a group, if one of them is not on the panel's rim. Groups come in the order of panels
// and of the first such pixel, row by row. With w = v - m, in whole sixteenths, the first centre is sum(w*position)/sum(w), rounded.
// Around it, in the disc of twice the background's radius (dx and dy from -2R to 2R-1, on the panel), the pixels with
// v < hi give background and sigma. Then total = sum(v - background), max = max(v - background), centre =
// sum(v*position)/sum(v), snr = total/sigma; groups with too few or too many pixels, too low an snr, a max below the
// disc's highest pixel, or a centre off the panel are no peaks.
//
// Sampled statistics take at most 100 pixels of a bin, always the same ones. In each iteration, m is the mean of the bin's
// own, or of all five if it has none, and s that of the values of five bins, itself and the two on each side, around their
// own bins' means: s*s*n is the sum of squares less sum*sum/n over the bins, from the least on. Where bins are panels, it
// is 1024 pixels of each, and each by itself.
//
// That leaves a limit open between max(adc_threshold, m + 0.85*min_snr*s) and max(adc_threshold, m + 1.15*min_snr*s). A
// pixel between the two, above the lower one, decides if of it and its neighbours (of eight, in the segment) at least
// min(2, min_pix_count) are above their lower limits, and fewer than min_pix_count above their upper ones. Bins with such
// pixels have m, s and the limit from all their own pixels instead, or of 32768 of them; but the limit is never less than
// the lower one. Carried statistics are the sampled ones of an earlier frame, as the sample has them.
//
// # Other finders
//
// droplets is psalgos' V4r3 and photons psana's photons(), threshold counts pixels; docs/hits.md tells their rules and
// where they differ. They work on segments, and know no panels. Regions and radial profiles are summed up besides.
//
// # Exactness
//
// All sums are whole numbers. What follows from them is computed in float64, each operation rounded by itself, in the
// order in which Plan.bounds and Plan.Measure write it: this is what other implementations must do to agree.
package hit
