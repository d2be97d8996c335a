package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"drp/hit"
	"drp/hit/cuda"
	"drp/shm"
)

// What is measured on a GPU: so many frames lie in shared memory, and so many workers search them at a time.
const (
	gpuFrames   = 64
	gpuWorkers  = 96
	gpuCompared = 8       // of the frames, with what the CPU finds
	gpuPromise  = 100_000 // frames per second that lie on the device
)

// HitsGPU measures how fast a GPU finds hits in frames from shared memory, beside how fast these can be copied to it, and in
// frames that it has already. First some frames are searched by the CPU, too: an answer that differs is an error.
func HitsGPU(ctx context.Context, g *cuda.GPU, o HitsOptions) (*Report, error) {
	b, err := newGPUBench(g)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.memory.Close() }()
	if err := b.agree(); err != nil {
		return nil, err
	}
	r := &Report{Machine: machine() + ", " + g.Name()}
	length := time.Duration(o.Seconds * float64(time.Second))
	for round := range o.Rounds + 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		copies, err := g.CopyRate(b.plan, b.bytes, length)
		if err != nil {
			return nil, err
		}
		resident, err := g.SearchRate(b.plan, length)
		if err != nil {
			return nil, err
		}
		pebble, err := b.search(length)
		if err != nil {
			return nil, err
		}
		if round > 0 { // in the first one everything is touched for the first time
			r.add("gpu_copy", "frames/s", "copy of raw frames from shared memory to the GPU", copies)
			r.add("gpu_pebble", "frames/s", "peakfinder8, sampled, of frames in shared memory", pebble)
			r.add("gpu_resident", "frames/s", "the same of frames on the GPU", resident)
			r.add("gpu_promise", "frames/s", "what is promised of them", gpuPromise)
		}
	}
	r.settle()
	r.bar("GPU, from shared memory, of what copying allows", "gpu_pebble", "gpu_copy", 0.9, false)
	r.bar("GPU, frames that it has", "gpu_resident", "gpu_promise", 1, false)
	return r, nil
}

// gpuBench is the frames, in shared memory that the GPU knows.
type gpuBench struct {
	g      *cuda.GPU
	plan   *hit.Plan
	memory *shm.Segment
	bytes  [][]byte
	frames []*hit.Frame
}

func newGPUBench(g *cuda.GPU) (*gpuBench, error) {
	scene, err := newHitScene(0)
	if err != nil {
		return nil, err
	}
	c := scene.config
	c.Peakfinder8.Statistics, c.CrossCheck = hit.Sampled, 0
	b := &gpuBench{g: g}
	if b.plan, err = scene.plan(c); err != nil {
		return nil, err
	}
	if b.memory, err = shm.Create(gpuFrames * 2 * calibPixels); err != nil {
		return nil, err
	}
	memory := b.memory.Bytes()
	all := unsafe.Slice((*uint16)(unsafe.Pointer(&memory[0])), gpuFrames*calibPixels)
	for i := range gpuFrames {
		frame, n := all[i*calibPixels:(i+1)*calibPixels], b.plan.Pixels()
		copy(frame, scene.frames[i%len(scene.frames)])
		f := &hit.Frame{}
		for s := range b.plan.Segments {
			f.Raw = append(f.Raw, frame[s*n:(s+1)*n])
		}
		b.frames = append(b.frames, f)
		b.bytes = append(b.bytes, memory[i*2*calibPixels:(i+1)*2*calibPixels])
	}
	g.Register(b.memory.Bytes())
	return b, nil
}

// agree compares with the CPU.
func (b *gpuBench) agree() error {
	cpu, gpu := b.plan.NewFinder(), b.g.Finder(b.plan)
	peaks := 0
	for i, f := range b.frames[:gpuCompared] {
		var got, want hit.Result
		cpu.Find(f, &want)
		gpu.Find(f, &got)
		if got.By != hit.GPU {
			return fmt.Errorf("bench: frame %d was not searched by the GPU: %+v, lost: %w", i, b.g.Books(), b.g.Lost())
		}
		if got.Summary != want.Summary || !slices.Equal(got.Peaks, want.Peaks) {
			return fmt.Errorf("bench: in frame %d the GPU finds %+v, and the CPU %+v", i, got.Summary, want.Summary)
		}
		peaks += len(got.Peaks)
	}
	if peaks < gpuCompared*hitPeaks/2 {
		return fmt.Errorf("bench: %d peaks in %d frames: this shows nothing", peaks, gpuCompared)
	}
	return nil
}

// search lets many workers search for a while, and the first of them one frame however short that is.
func (b *gpuBench) search(length time.Duration) (rate float64, err error) {
	var all sync.WaitGroup
	counts := make([]int, gpuWorkers)
	began := time.Now()
	for w := range gpuWorkers {
		all.Go(func() {
			finder := b.g.Finder(b.plan)
			var r hit.Result
			for i := w; i == 0 || time.Since(began) < length; i++ {
				finder.Find(b.frames[i%gpuFrames], &r)
				counts[w]++
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	n := 0
	for _, c := range counts {
		n += c
	}
	if why := b.g.Lost(); why != nil {
		return 0, fmt.Errorf("bench: the GPU was given up: %w", why)
	}
	return float64(n) / took.Seconds(), nil
}
