// What CUDA C++ has and C has not, for one block at a time on one thread. Blocks and threads take their turns in an order
// that a seed decides: what depends on it is a fault, and shows.
#ifndef DRP_CPU_H
#define DRP_CPU_H

#include <math.h>

struct Index {
	unsigned int x, y, z;
};

extern __thread struct Index gridDim, blockDim, blockIdx, threadIdx;
extern __thread unsigned int threadStep, threadShift; // odd, since blocks have a power of two of threads; any

#define KERNEL void
#define DEVICE static inline
#define SHARED static __thread
#define EACH_THREAD                                                                                          \
	for (unsigned int turn_ = 0;                                                                             \
	     turn_ < blockDim.x && (threadIdx.x = (turn_ * threadStep + threadShift) % blockDim.x, 1); turn_++)

#define atomicAdd(p, v)                 \
	__extension__({                     \
		__typeof__(*(p)) old_ = *(p);   \
		*(p) = old_ + (v);              \
		old_;                           \
	})
#define atomicMax(p, v) ((void)(*(p) = *(p) > (v) ? *(p) : (v)))
#define atomicMin(p, v) ((void)(*(p) = *(p) < (v) ? *(p) : (v)))
#define atomicCAS(p, is, v)             \
	__extension__({                     \
		__typeof__(*(p)) old_ = *(p);   \
		if (old_ == (is))               \
			*(p) = (v);                 \
		old_;                           \
	})

#endif
