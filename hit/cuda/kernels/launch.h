// The door to the kernels for the CPU.
#include "params.h"

// drp_launch runs a kernel, by its place in package cuda's list; 0 when there is no such kernel or size.
int drp_launch(int kernel, u32 blocks, u32 frames, u32 threads, u64 seed, const struct Params *p);
