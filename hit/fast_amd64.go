package hit

import (
	"unsafe"

	"drp/calib/correct"
)

func machine() vectors {
	switch some, wide := correct.Vectors(); {
	case wide:
		return avx512
	case some:
		return avx2
	}
	return noVectors
}

// pass is one over the blocks of a segment. What is the same in all blocks has no step.
type pass struct {
	raw        *uint16
	pedestal   *int16
	codes      *uint16
	spans      *span
	ladder     *int16
	out        *survivor
	blocks     int // all of them whole
	found      int // survivors
	toPedestal int // bytes from a block's pedestals to the next one's
	toCodes    int // the same for codes
	dataMask   uint32
	bias       uint32
}

//go:noescape
func passAVX2(p *pass)

//go:noescape
func passAVX512(p *pass)

// zeros are the pedestals and codes of pixels that have none any more.
type zeros struct {
	pedestals [blockPixels]int16
	codes     [blockPixels]uint16
}

// passVectors looks through the whole blocks of a segment.
func (v *view) passVectors(with vectors, spans []span, ladder []int16, out []survivor) (done, found int) {
	n := len(v.raw) / blockPixels
	if n == 0 {
		return 0, 0
	}
	p := pass{spans: &spans[:n][0], ladder: &ladder[0], out: &out[:n][0], blocks: n}
	none := zeros{}
	if v.adu != nil {
		p.raw, p.pedestal, p.codes, p.dataMask = uint16s(v.adu[:n*blockPixels]), &none.pedestals[0], &none.codes[0], 1<<16-1
	} else {
		p.raw, p.pedestal, p.toPedestal = &v.raw[0], &v.Pedestal[:n*blockPixels][0], 2*blockPixels
		p.codes, p.dataMask, p.bias = &v.codes[0], uint32(v.DataMask), uint32(v.Bias)
		if v.Wrap < 0 {
			p.codes, p.toCodes = &v.codes[:n*blockPixels][0], 2*blockPixels
		}
	}
	if with == avx512 {
		passAVX512(&p)
	} else {
		passAVX2(&p)
	}
	return n, p.found
}

func uint16s(a []int16) *uint16 { return (*uint16)(unsafe.Pointer(&a[0])) }

// clips asks for the sums of bins.
type clips struct {
	values *int16
	active *uint16
	bounds *Bounds
	sums   *Sums
	n      int
}

//go:noescape
func clipAVX2(c *clips)

//go:noescape
func clipAVX512(c *clips)

func (s *sample) addVectors(active []uint16) bool {
	if len(active) == 0 {
		return true
	}
	c := clips{&s.values[0], &active[0], &s.bounds[0], &s.sums[0], len(active)}
	if s.t.vectors == avx512 {
		clipAVX512(&c)
	} else {
		clipAVX2(&c)
	}
	return true
}
