package correct

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func subtractAVX2(l *loop)

//go:noescape
func convertAVX2(l *loop)

//go:noescape
func convertAVX512(s *switching)

//go:noescape
func subtractAVX512(l *loop)

//go:noescape
func offsetAVX2(l *loop)

//go:noescape
func scaleAVX2(l *loop)

func fence()

// inVectors tells whether the machine can run the assembly.
func inVectors() bool { return cpu.X86.HasAVX2 && cpu.X86.HasPOPCNT }

// inWide tells whether it can run that with vectors of twice the length too.
func inWide() bool {
	return inVectors() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
}

// loop fills in what is the same for all loops, over whole sixteens of the pixels from at on.
func (s *segment) loop(raw []uint16, at int) loop {
	l := loop{raw: &raw[0], codes: &s.codes[0], n: len(raw) &^ 15, dataMask: uint32(s.dataMask), bias: uint32(s.bias),
		factor: &s.ranges[0].factor[at]}
	if s.wrap < 0 {
		l.codes, l.step = &s.codes[at], 16*2
	}
	if s.special {
		l.special = ^uint32(0)
	} else if len(s.ranges) > 1 {
		for i := range l.careful {
			l.careful[i] = ^uint32(0)
		}
	}
	for i := range l.others {
		r := &s.ranges[min(i+1, len(s.ranges)-1)]
		l.others[i].pedestal, l.others[i].factor = &r.pedestal[at], &r.factor[at]
	}
	return l
}

func bytesOf[T any](p *T) *byte { return (*byte)(unsafe.Pointer(p)) }

// The loops below do as many pixels as they can, and say how many.

func (s *segment) subtractVectors(dst []int16, raw []uint16, pedestal []int16) int {
	if !s.vectors || len(raw) < 16 {
		return 0
	}
	l := s.loop(raw, 0)
	l.dst, l.pedestal, l.stream = bytesOf(&dst[:len(raw)][0]), bytesOf(&pedestal[:len(raw)][0]), streamed(&dst[0])
	if s.special && s.wide && l.n%32 == 0 && aligned(&dst[0], 64) {
		subtractAVX512(&l)
	} else {
		subtractAVX2(&l)
	}
	fence()
	return l.n
}

func (s *segment) convertVectors(dst []float32, raw []uint16) int {
	if !s.vectors || len(raw) < 16 {
		return 0
	}
	l := s.loop(raw, 0)
	l.dst, l.stream = bytesOf(&dst[:len(raw)][0]), streamed(&dst[0])
	l.pedestal = bytesOf(&s.ranges[0].pedestal[:len(raw)][0])
	if s.wide && l.n >= 64 && aligned(&dst[0], 64) {
		l.n &^= 63
		convertAVX512(&switching{loop: l})
	} else {
		convertAVX2(&l)
	}
	fence()
	return l.n
}

func (s *segment) fewVectors(dst []float32, raw []uint16, at int) int {
	if !s.vectors || len(raw) < 16 {
		return 0
	}
	l := s.loop(raw, at)
	l.dst, l.pedestal = bytesOf(&dst[0]), bytesOf(&s.ranges[0].pedestal[at : at+len(raw)][0])
	convertAVX2(&l)
	return l.n
}

// streamed tells whether pixels can go past the caches, which needs 32 bytes at a time. Memory that is only written need
// then not be read first, and the constants stay in the cache.
func streamed[T any](dst *T) uint32 {
	if aligned(dst, 32) {
		return 1
	}
	return 0
}

func aligned[T any](p *T, bytes uintptr) bool { return uintptr(unsafe.Pointer(p))%bytes == 0 }

func (s *segment) offsetVectors(dst []float32, raw []uint16, at int) int {
	if !s.vectors || len(raw) < 16 {
		return 0
	}
	l := s.loop(raw, at)
	l.dst, l.pedestal = bytesOf(&dst[:len(raw)][0]), bytesOf(&s.part[at : at+len(raw)][0])
	offsetAVX2(&l)
	return l.n
}

// scaleVectors overwrites src.
func (s *segment) scaleVectors(dst, src []float32, raw []uint16, at int, modes []float32) int {
	if !s.vectors || len(raw) < 16 {
		return 0
	}
	l := s.loop(raw, at)
	l.dst, l.stream = bytesOf(&dst[:len(raw)][0]), streamed(&dst[0])
	l.pedestal, l.src = bytesOf(&s.ranges[0].pedestal[at : at+len(raw)][0]), &src[:len(raw)][0]
	none := float32(0)
	l.modes, l.wide = &none, l.n
	if len(modes) > 0 {
		l.modes, l.wide = &modes[0], len(raw)/len(modes)
	}
	scaleAVX2(&l)
	return l.n
}
