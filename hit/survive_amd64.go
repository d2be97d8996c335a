package hit

//go:noescape
func surviveAVX512(p *pass)

// surviveVectors looks through whole blocks from one on, and tells how far it came.
func (f *field) surviveVectors(from, to int) (done, found int) {
	to = min(to, len(f.raw)/blockPixels)
	if f.with == noVectors || from >= to {
		return from, 0
	}
	p := limited{pass: pass{spans: &f.spans[:to-from][0], ladder: &f.limits[0], out: &f.survivors[:to-from+1][0], blocks: to - from}}
	p.pixels(f.view, from, to)
	p.bins = &f.bins[from*blockPixels : to*blockPixels][0]
	if f.with == avx512 {
		surviveAVX512(&p.pass)
	} else {
		passAVX2(&p)
	}
	for k := range f.survivors[:p.found] {
		f.survivors[k].block += uint32(from)
	}
	return to, p.found
}
