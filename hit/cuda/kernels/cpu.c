// The kernels for the CPU.
#include "kernels.cu"
#include "launch.h"

__thread struct Index gridDim, blockDim, blockIdx, threadIdx;
__thread unsigned int threadStep = 1, threadShift;

static void (*const kernels[])(const struct Params *) = {start, sampled, sampledBounds, fullSums, fullBounds, offsets, candidates, doubt, rings, keep, join,
                                                         roots, gather, peaks};

// coprime gives a number that steps through all of n.
static u32 coprime(u32 n, u32 wish) {
	for (u32 step = wish % n;; step = (step + 1) % n) {
		u32 a = n, b = step;
		while (b) {
			u32 c = a % b;
			a = b;
			b = c;
		}
		if (a == 1)
			return step;
	}
}

int drp_launch(int kernel, u32 blocks, u32 frames, u32 threads, u64 seed, const struct Params *p) {
	u32 all = blocks * frames, step, shift;
	if (kernel < 0 || kernel >= (int)(sizeof kernels / sizeof *kernels) || all == 0 || threads == 0 || threads & (threads - 1))
		return 0;
	step = coprime(all, (u32)(seed >> 8) % all);
	shift = (u32)(seed >> 16) % all;
	gridDim.x = blocks, gridDim.y = 1, gridDim.z = frames;
	blockDim.x = threads, blockDim.y = blockDim.z = 1;
	for (u32 turn = 0; turn < all; turn++) {
		u32 at = (u32)(((u64)turn * step + shift) % all);
		blockIdx.x = at % blocks, blockIdx.z = at / blocks;
		threadStep = ((u32)seed + turn) | 1;
		threadShift = (u32)(seed >> 24) + turn;
		kernels[kernel](p);
	}
	return 1;
}
