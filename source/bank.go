package source

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
)

// The simulated camera in ADU, after the ePix10ka: a pedestal with a fixed pattern, a background ring around the beam
// in the middle of the segments side by side, Bragg-like peaks, and a second gain range. Bit 14 marks a pixel in it.
const (
	pedestalADU     = 2500.0
	patternADU      = 150.0 // rms of the fixed pattern
	ringADU         = 60.0
	peakADU         = 900.0 // mean height, exponentially distributed
	peakSigma       = 1.1   // pixels
	highGainTopADU  = 14000
	lowGainRatio    = 100.0 / 3
	lowPedestalADU  = 3000.0
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
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	noise := make([]float32, noiseTableWords)
	for i := range noise {
		noise[i] = float32(rng.NormFloat64())
	}
	base := b.background(noise)
	b.pixels, b.peaks = make([][]uint16, p.Bank), make([][]Peak, p.Bank)
	var working sync.WaitGroup
	for frame := range p.Bank {
		working.Go(func() { b.pixels[frame], b.peaks[frame] = b.frame(frame, base, noise) })
	}
	working.Wait()
	return b
}

// background is pedestal, pattern and ring: the same in every frame.
func (b *bank) background(noise []float32) []float32 {
	p := b.p
	base := make([]float32, p.Segments*p.Rows*p.Cols)
	side := int(math.Ceil(math.Sqrt(float64(p.Segments)))) // segments in a row of the mosaic
	height, width := float64(side*p.Rows), float64(side*p.Cols)
	radius, spread := 0.3*min(height, width), 0.06*min(height, width)
	i := 0
	for seg := range p.Segments {
		for row := range p.Rows {
			y := float64(seg/side*p.Rows+row) - height/2
			for col := range p.Cols {
				x := float64(seg%side*p.Cols+col) - width/2
				d := (math.Sqrt(x*x+y*y) - radius) / spread
				pattern := noise[mix(p.Seed^uint64(i)<<1)%noiseTableWords]
				base[i] = float32(pedestalADU+ringADU*math.Exp(-d*d/2)) + patternADU*pattern
				i++
			}
		}
	}
	return base
}

func (b *bank) frame(n int, base, noise []float32) ([]uint16, []Peak) {
	p := b.p
	rng := rand.New(rand.NewPCG(p.Seed, uint64(n)+2))
	signal := map[int]float64{}
	var peaks []Peak
	if n < b.hits {
		peaks = b.scatter(rng, signal)
	}
	pixels := make([]uint16, len(base))
	at := rng.Uint64()
	for i := range pixels {
		if i%256 == 0 { // a fresh place in the noise table every so often
			at = rng.Uint64()
		}
		pixels[i] = digitise(float64(base[i])+p.Noise*float64(noise[(at+uint64(i))%noiseTableWords]), false)
	}
	for i, adu := range signal {
		pixels[i] = digitise(float64(pixels[i])+adu, false)
	}
	for range int(p.Switched * float64(len(pixels))) {
		i := rng.IntN(len(pixels))
		pixels[i] = digitise(float64(highGainTopADU+rng.IntN(highGainTopADU)), true)
	}
	return pixels, peaks
}

// digitise gives the ADC word of a signal in high-gain ADU. A pixel that runs over its range switches.
func digitise(adu float64, switched bool) uint16 {
	if switched || adu > highGainTopADU {
		return gainBit | uint16(min(dataBits, math.Round(lowPedestalADU+(adu-pedestalADU)/lowGainRatio)))
	}
	return uint16(max(0, math.Round(adu)))
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
