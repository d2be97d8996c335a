package source

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
)

// The simulated camera in ADU, after the ePix10ka: a pedestal with a fixed pattern, a ring of background around the beam
// in the middle of the segments side by side, Bragg-like peaks, pixels that are stuck, and a second gain range. Bit 14
// marks a pixel in it. SimParams.Constants tells the pedestals and gains that belong to this.
const (
	pedestalADU     = 2500.0
	patternADU      = 150.0 // rms of the fixed pattern
	peakADU         = 900.0 // mean height, exponentially distributed
	peakSigma       = 1.1   // pixels
	highGainTopADU  = 14000
	lowGainRatio    = 100.0
	lowPedestalADU  = 3000.0
	hotADU          = 8000 // and up to half as much again: what half of the stuck pixels read; the others read 0
	gainBit         = 1 << 14
	dataBits        = gainBit - 1
	noiseTableWords = 1 << 16
)

// mix is the finaliser of splitmix64 (Steele, Lea, Flood 2014): a good hash of a counter.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Peak is one simulated peak: where, and how high above the background.
type Peak struct {
	Segment  int
	Row, Col float64
	ADU      float64
}

// bank is the frames the simulator repeats: hits first, then the others.
type bank struct {
	p      SimParams
	hits   int
	peaks  [][]Peak
	pixels [][]uint16 // [frame][segment, row, col]
}

func newBank(p SimParams) *bank {
	b := &bank{p: p, hits: int(math.Round(p.Hits * float64(p.Bank)))}
	if p.Hits > 0 {
		b.hits = max(b.hits, 1)
	}
	if p.Hits < 1 && p.Bank > 1 {
		b.hits = min(b.hits, p.Bank-1)
	}
	noise := p.noise()
	s := b.scene(noise)
	b.pixels, b.peaks = make([][]uint16, p.Bank), make([][]Peak, p.Bank)
	var working sync.WaitGroup
	for frame := range p.Bank {
		working.Go(func() { b.pixels[frame], b.peaks[frame] = b.frame(frame, &s, noise) })
	}
	working.Wait()
	return b
}

// noise is a table of normally distributed numbers.
func (p *SimParams) noise() []float32 {
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	noise := make([]float32, noiseTableWords)
	for i := range noise {
		noise[i] = float32(rng.NormFloat64())
	}
	return noise
}

// pixel is the number of a pixel in the whole camera.
func (p *SimParams) pixel(i int) uint64 { return uint64(p.First*p.Rows*p.Cols + i) }

// pedestal is that of a pixel in high gain.
func (p *SimParams) pedestal(i int, noise []float32) float32 {
	return pedestalADU + patternADU*noise[mix(p.Seed^p.pixel(i)<<1)%noiseTableWords]
}

// stuck tells whether a pixel always reads the same, and what.
func (p *SimParams) stuck(i int) (word uint16, stuck bool) {
	h := mix(p.Seed ^ p.pixel(i)<<1 ^ 1)
	if h&1 == 1 {
		word = hotADU + uint16(h>>1%(hotADU/2))
	}
	return word, float64(h>>11)/(1<<53) < p.Bad
}

// mosaic is how many segments stand in a row of the camera, of which the beam meets the middle.
func (p *SimParams) mosaic() int { return int(math.Ceil(math.Sqrt(float64(p.Segments)))) }

// scene is what all frames have: pedestal and ring of background, the noise that belongs to it, and pixels that are stuck.
type scene struct {
	base, spread []float32
	stuck        map[int]uint16
}

func (b *bank) scene(noise []float32) scene {
	p := b.p
	n := p.Segments * p.Rows * p.Cols
	s := scene{base: make([]float32, n), spread: make([]float32, n), stuck: map[int]uint16{}}
	side := p.mosaic()
	height, width := float64(side*p.Rows), float64(side*p.Cols)
	radius, wide := 0.3*min(height, width), 0.06*min(height, width)
	i := 0
	for seg := range p.Segments {
		for row := range p.Rows {
			y := float64(seg/side*p.Rows+row) - height/2
			for col := range p.Cols {
				x := float64(seg%side*p.Cols+col) - width/2
				d := (math.Sqrt(x*x+y*y) - radius) / wide
				ring := p.Rings * math.Exp(-d*d/2)
				s.base[i] = p.pedestal(i, noise) + float32(ring)
				s.spread[i] = float32(math.Sqrt(p.Noise*p.Noise + 2*ring))
				if word, stuck := p.stuck(i); stuck {
					s.stuck[i] = word
				}
				i++
			}
		}
	}
	return s
}

func (b *bank) frame(n int, s *scene, noise []float32) ([]uint16, []Peak) {
	p := b.p
	rng := rand.New(rand.NewPCG(p.Seed, uint64(p.First)<<32+uint64(n)+2))
	signal := map[int]float64{}
	var peaks []Peak
	if n < b.hits {
		peaks = b.scatter(rng, signal)
	}
	pixels := make([]uint16, len(s.base))
	at := rng.Uint64()
	for i := range pixels {
		if i%256 == 0 { // a fresh place in the noise table every so often
			at = rng.Uint64()
		}
		pixels[i] = highGain(s.base[i] + s.spread[i]*noise[(at+uint64(i))%noiseTableWords])
	}
	for i, adu := range signal {
		if adu += float64(pixels[i]); adu > highGainTopADU {
			pixels[i] = lowGain(adu - float64(p.pedestal(i, noise)))
		} else {
			pixels[i] = highGain(float32(adu))
		}
	}
	for range int(p.Switched * float64(len(pixels))) {
		pixels[rng.IntN(len(pixels))] = lowGain(float64(highGainTopADU + rng.IntN(highGainTopADU)))
	}
	for i, word := range s.stuck {
		pixels[i] = word
	}
	return pixels, peaks
}

// highGain gives the word of a pixel that stays in its range.
func highGain(adu float32) uint16 { return uint16(max(0, min(highGainTopADU, adu+0.5))) }

// lowGain gives the word of a pixel that has run over its range, from its signal in ADU of high gain.
func lowGain(signal float64) uint16 {
	return gainBit | uint16(min(dataBits, math.Round(lowPedestalADU+signal/lowGainRatio)))
}

// scatter adds the peaks of one frame to the signal.
func (b *bank) scatter(rng *rand.Rand, signal map[int]float64) []Peak {
	p := b.p
	const reach = 4
	peaks := make([]Peak, p.Peaks)
	for k := range peaks {
		peak := Peak{Segment: rng.IntN(p.Segments), Row: rng.Float64() * float64(p.Rows), Col: rng.Float64() * float64(p.Cols),
			ADU: peakADU * (0.3 + rng.ExpFloat64())}
		peaks[k] = peak
		for row := int(peak.Row) - reach; row <= int(peak.Row)+reach; row++ {
			for col := int(peak.Col) - reach; col <= int(peak.Col)+reach; col++ {
				if row < 0 || row >= p.Rows || col < 0 || col >= p.Cols {
					continue
				}
				dy, dx := float64(row)-peak.Row, float64(col)-peak.Col
				signal[(peak.Segment*p.Rows+row)*p.Cols+col] += peak.ADU * math.Exp(-(dx*dx+dy*dy)/(2*peakSigma*peakSigma))
			}
		}
	}
	return peaks
}

// choose gives the frame of an event: a hit with the probability asked for, whatever the size of the bank. (A bank of
// one frame has no choice: it is a hit if hits are asked for at all.)
func (b *bank) choose(event uint64) int {
	h := mix(b.p.Seed<<32 ^ event)
	hit := float64(h>>11)/(1<<53) < b.p.Hits
	pick := mix(h)
	switch {
	case b.hits == 0 || b.hits == b.p.Bank:
		return int(pick % uint64(b.p.Bank))
	case hit:
		return int(pick % uint64(b.hits))
	default:
		return b.hits + int(pick%uint64(b.p.Bank-b.hits))
	}
}

// segment gives the pixels of one segment of a frame as bytes.
func (b *bank) segment(frame, seg int, dst []byte) {
	n := b.p.Rows * b.p.Cols
	for i, v := range b.pixels[frame][seg*n : (seg+1)*n] {
		binary.LittleEndian.PutUint16(dst[2*i:], v)
	}
}
