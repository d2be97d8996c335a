package hit

import "drp/calib/correct"

// Peak is a spot in a frame. It has 32 bytes, which scripts see as they are.
type Peak struct {
	Segment    uint16  // among those of the frame
	NPix       uint16  // pixels
	Row, Col   float32 // centre in the segment, weighted with the values; 0 is the centre of the first pixel
	Total      float32 // sum of the pixels less background; this and the next three in ADU or the constants' unit
	Max        float32 // highest pixel less background
	Background float32 // mean around the peak
	Sigma      float32 // deviation around the peak, of one pixel
	SNR        float32 // peakfinder8: total/sigma; droplets: total/(sigma*sqrt(npix))
}

// Result is what was found in a frame.
type Result struct {
	Peaks   []Peak
	Summary Summary
	Map     []uint16 // photons: how many each pixel has, (segments, rows, cols); else empty
	By      Maker

	Regions      []RegionSums // in the order of the configuration
	Radial       []float32    // mean of the pixels of each bin, NaN without any; empty where it was not the event's turn
	RadialCounts []uint32     // pixels of each bin
}

// Summary is the part of a result that every frame has.
type Summary struct {
	Count      uint32 // peaks, photons or pixels: what makes a hit
	Hit        bool   // the limits of Count belong to it
	Truncated  bool   // more peaks were found than are kept; Count tells of all
	Peaks      uint32 // found
	Pixels     uint32 // above the threshold
	Switched   uint32 // in another gain range, or saturated
	Photons    uint32
	Total      float32 // sum over all peaks
	Max        float32 // of the highest peak
	Background float32 // mean of the bins' means, each counted once
}

// reset empties a result, and keeps its room.
func (r *Result) reset() {
	r.Peaks, r.Map, r.Summary, r.By = r.Peaks[:0], r.Map[:0], Summary{}, CPU
	r.Regions, r.Radial, r.RadialCounts = r.Regions[:0], r.Radial[:0], r.RadialCounts[:0]
}

// makeMap gives the map n pixels, with whatever is in them.
func (r *Result) makeMap(n int) {
	if cap(r.Map) < n {
		r.Map = correct.OnHugePages(make([]uint16, n))
	}
	r.Map = r.Map[:n]
}

// add keeps a peak while there is room.
func (r *Result) add(p *Peak, room int) {
	r.Summary.Peaks++
	r.Summary.Total += p.Total
	r.Summary.Max = max(r.Summary.Max, p.Max)
	if len(r.Peaks) >= room {
		r.Summary.Truncated = true
		return
	}
	r.Peaks = append(r.Peaks, *p)
}

// decide ends a result.
func (r *Result) decide(c *Config, count uint32) {
	r.Summary.Count = count
	r.Summary.Hit = int64(count) >= int64(c.AtLeast) && (c.AtMost == 0 || int64(count) <= int64(c.AtMost))
}
