package main

import (
	"context"
	"log/slog"
	"os"

	"drp/bench"
	"drp/drp"
	"drp/hit"
)

// measure measures the CPU or a GPU.
func measure(ctx context.Context, o bench.HitsOptions, gpu bool) (*bench.Report, error) {
	if gpu {
		return benchGPU(ctx, o)
	}
	r, err := bench.Hits(ctx, o)
	return r, general(err)
}

// benchGPU measures a GPU, by drp-cuda.
func benchGPU(ctx context.Context, o bench.HitsOptions) (*bench.Report, error) {
	c := hit.Default()
	c.Finder = "peakfinder8"
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := becomeGPUProgram(gpuRequired, &drp.Hits{Config: c}, log); err != nil {
		return nil, err
	}
	g, err := openGPU(log)
	if err != nil {
		return nil, gpuTrouble(gpuRequired, log, err)
	}
	defer func() { _ = g.Close() }()
	r, err := bench.HitsGPU(ctx, g, o)
	return r, general(err)
}
