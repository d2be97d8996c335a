// peakfinder8 as package hit defines it, for a GPU; and, by way of cpu.h, for the CPU, where tests compare it with that
// definition. It is C as well as CUDA C++. Sums are whole numbers, so that their order does not matter. What follows from
// them is float64, each operation rounded by itself: this file is compiled without fused multiplication and addition.
//
// A block's threads meet at the end of each EACH_THREAD, which is a loop over them on the CPU: so nothing but shared
// memory lives from one to the next, and none is left by return. Frames of a batch are the blocks' z.
#ifdef __CUDACC__
#include "params.h"
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ __forceinline__
#define SHARED __shared__
#define EACH_THREAD for (int once = 1; once; once = 0, __syncthreads())
#else
#include "cpu.h"
#include "params.h"
#endif

#define BAD (-2147483647 - 1)
#define BAD_PEDESTAL 32767
#define SWITCHED 32767
#define SATURATED 32678.0f
#define UNUSED 0x8000u
#define ROOT 0x80000000u
#define NONE 0xffffffffffffffffull
#define OFF 0xffffffffu // a candidate that is none any more
#define TURNS 5         // of a bin's sums
#define STEPS 16 // of an offset in a value

#define BLOCK 256
#define EIGHT 8           // pixels that a thread loads at once
#define SHARED_BINS 1536  // that fit a block's memory
#define CHUNK 32768       // pixels of a block that sums over all

// Eight is as much as a thread loads in one go.
struct __attribute__((aligned(16))) Eight {
	u32 pair[EIGHT / 2];
};

DEVICE u32 of(const struct Eight *e, int k) { return e->pair[k / 2] >> (k % 2 * 16) & 0xffff; }

DEVICE struct Head *head(const struct Params *p, u32 frame) {
	return (struct Head *)(p->out + (u64)frame * (u64)p->outBytes);
}

DEVICE u64 place(const struct Params *p, u32 frame) { return (u64)frame * (u64)p->bins; }

// whole is RoundToEven of what fits.
DEVICE i32 whole(double x) {
	x = x < 2147483647.0 ? x : 2147483647.0;
	x = x > -2147483647.0 ? x : -2147483647.0;
	return (i32)rint(x);
}

DEVICE i32 clamp(double x) {
	x = x < 2147483647.0 ? x : 2147483647.0;
	x = x > -2147483648.0 ? x : -2147483648.0;
	return (i32)x;
}

// firstRange is correct.Tables.FirstRangeADU, rounded.
DEVICE i32 firstRange(const struct Params *p, i32 i, u32 raw, u32 code) {
	float v;
	if (raw & code && p->special && raw == 0xC000) {
		v = SATURATED;
	} else {
		u64 at = (u64)(raw & code ? p->pick[raw >> 14] : 0) * (u64)p->total + (u64)i;
		v = ((float)(raw & (u32)p->dataMask) - p->pedestals[at]) * p->factors[at];
	}
	return whole((double)v / (double)p->factors[i]);
}

// value is hit.Plan.Values of one pixel. *switched tells of another range.
DEVICE i32 value(const struct Params *p, i32 i, u32 raw, i32 pedestal, int *switched) {
	u32 code = p->codes ? p->codes[i] : (u32)p->code;
	*switched = 0;
	if (pedestal == BAD_PEDESTAL)
		return BAD;
	if (raw & code) {
		if (p->pick[raw >> 14] < 0 || (p->special && (raw == 0x4000 || raw == 0xFFFF)))
			return BAD;
	} else {
		i32 d = (i32)(raw & (u32)p->dataMask) - p->bias - pedestal;
		if (d < SWITCHED)
			return d > -32767 ? d : -32767;
	}
	*switched = 1;
	return firstRange(p, i, raw, code);
}

DEVICE i32 valueAt(const struct Params *p, u32 frame, i32 i) {
	int switched;
	return value(p, i, p->raw[(u64)frame * (u64)p->stride + (u64)i], p->pedestal[i], &switched);
}

// above tells whether a pixel can be part of a group.
DEVICE int above(const struct Params *p, u32 frame, i32 i) {
	u32 b = p->bin[i];
	i32 v;
	if (b >= UNUSED)
		return 0;
	v = valueAt(p, frame, i);
	return v != BAD && v > p->limit[place(p, frame) + b];
}

DEVICE u64 square(i32 v) { return (u64)((i64)v * (i64)v); }

// squares is hit.Sums.squares.
DEVICE double squares(u64 high, u64 low) {
	return (double)(high + (low >> 32)) * 4294967296.0 + (double)(low & 0xffffffffull);
}

// around is hit.Plan.around and Thresholds.set: it gives the bounds of the next sums, and writes what a bin's sums lead to.
DEVICE void around(const struct Params *p, u64 at, double mean, double sigma, i32 *lo, i32 *hi) {
	double away = p->minSNR * sigma, top = mean + away, open = p->doubt * (away > 0 ? away : 0), least = top - open, most = top + open;
	if (p->adcThreshold > top)
		top = p->adcThreshold;
	if (p->adcThreshold > least)
		least = p->adcThreshold;
	if (p->adcThreshold > most)
		most = p->adcThreshold;
	*lo = clamp(floor(mean - away));
	*hi = p->below[at] = clamp(ceil(top));
	p->limit[at] = clamp(floor(top));
	p->least[at] = clamp(floor(least));
	p->most[at] = clamp(floor(most));
	p->mean[at] = mean;
	p->offset[at] = (i64)rint(mean * STEPS);
}

// none is so of no values.
DEVICE void none(const struct Params *p, u64 at, i32 *lo, i32 *hi) {
	*lo = 0;
	*hi = p->limit[at] = p->below[at] = p->least[at] = p->most[at] = 2147483647;
	p->mean[at] = 0;
	p->offset[at] = 0;
}

// bounds is hit.Plan.bounds.
DEVICE void bounds(const struct Params *p, u64 at, const struct Sums *s, i32 *lo, i32 *hi) {
	double n = (double)s->n, mean, sigma;
	if (s->n == 0) {
		none(p, at, lo, hi);
		return;
	}
	mean = (double)(i64)s->sum / n;
	sigma = squares(s->high, s->low) / n - mean * mean;
	if (sigma >= 0)
		sigma = sqrt(sigma);
	around(p, at, mean, sigma, lo, hi);
}

// start empties what a batch adds to. Its blocks cover the bins.
KERNEL start(const struct Params *p) {
	EACH_THREAD {
		i32 b = (i32)(blockIdx.x * blockDim.x + threadIdx.x);
		u64 at = place(p, blockIdx.z) + (u64)b;
		if (b == 0) {
			struct Head *h = head(p, blockIdx.z);
			h->offsets = 0;
			h->listed = h->pixels = h->switched = h->groups = h->peaks = 0;
		}
		if (b < p->bins) {
			struct Sums nothing = {0, 0, 0, 0};
			p->sums[at] = nothing;
			p->lo[at] = BAD;
			p->hi[at] = 2147483647;
			p->open[at] = 0;
		}
	}
}

// sampled adds the values of the sample between the bounds of their bins, a bin per block. What was there is overwritten.
KERNEL sampled(const struct Params *p) {
	SHARED struct Sums s;
	u32 bin = blockIdx.x, from = p->sampleAt[bin], count = p->sampleAt[bin + 1] - from;
	u64 at = place(p, blockIdx.z) + bin;
	EACH_THREAD {
		if (threadIdx.x == 0) {
			struct Sums none = {0, 0, 0, 0};
			s = none;
		}
	}
	EACH_THREAD {
		for (u32 t = threadIdx.x; t < count; t += blockDim.x) {
			i32 v = valueAt(p, blockIdx.z, (i32)p->sample[from + t]);
			if (v != BAD && v > p->lo[at] && v < p->hi[at]) {
				u64 q = square(v);
				atomicAdd(&s.n, 1ull);
				atomicAdd(&s.sum, (u64)(i64)v);
				atomicAdd(&s.high, q >> 32);
				atomicAdd(&s.low, q & 0xffffffffull);
			}
		}
	}
	EACH_THREAD {
		if (threadIdx.x == 0)
			p->sums[at] = s;
	}
}

// sampledBounds turns the sums of bins and of those nearby into the next bounds. Its blocks cover the bins.
KERNEL sampledBounds(const struct Params *p) {
	EACH_THREAD {
		i32 b = (i32)(blockIdx.x * blockDim.x + threadIdx.x);
		u64 first = place(p, blockIdx.z);
		if (b < p->bins) {
			const struct Sums *own = &p->sums[first + (u64)b];
			u64 all = 0, sum = 0, at = first + (u64)b;
			double within = 0; // hit.Sums.within of each ring
			i32 from = b > p->pool ? b - p->pool : 0, to = b + p->pool < p->bins ? b + p->pool : p->bins - 1;
			for (i32 k = from; k <= to; k++) {
				const struct Sums *s = &p->sums[first + (u64)k];
				all += s->n;
				sum += s->sum;
				if (s->n > 0)
					within += squares(s->high, s->low) - (double)(i64)s->sum * (double)(i64)s->sum / (double)s->n;
			}
			if (p->pool == 0) {
				bounds(p, at, own, &p->lo[at], &p->hi[at]);
			} else if (all == 0) {
				none(p, at, &p->lo[at], &p->hi[at]);
			} else {
				double mean = own->n > 0 ? (double)(i64)own->sum / (double)own->n : (double)(i64)sum / (double)all;
				double variance = within / (double)all;
				around(p, at, mean, sqrt(variance > 0 ? variance : 0), &p->lo[at], &p->hi[at]);
			}
		}
	}
}

// fullSums adds all pixels between the bounds of their bins. Each block has a chunk of them, and a few of the bins' sums
// where they fit.
KERNEL fullSums(const struct Params *p) {
	SHARED u32 counts[SHARED_BINS];
	SHARED u64 sums[SHARED_BINS], highs[SHARED_BINS], lows[SHARED_BINS];
	u64 at = place(p, blockIdx.z);
	int shared = p->bins <= SHARED_BINS;
	EACH_THREAD {
		for (i32 b = (i32)threadIdx.x; shared && b < p->bins; b += (i32)blockDim.x) {
			counts[b] = 0;
			sums[b] = highs[b] = lows[b] = 0;
		}
	}
	EACH_THREAD {
		i64 from = (i64)blockIdx.x * CHUNK, to = from + CHUNK < p->total ? from + CHUNK : p->total;
		for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) {
			u32 b = p->bin[i];
			i32 v;
			u64 q;
			if (b >= UNUSED)
				continue;
			v = valueAt(p, blockIdx.z, (i32)i);
			if (v == BAD || v <= p->lo[at + b] || v >= p->hi[at + b])
				continue;
			q = square(v);
			if (shared) {
				atomicAdd(&counts[b], 1u);
				atomicAdd(&sums[b], (u64)(i64)v);
				atomicAdd(&highs[b], q >> 32);
				atomicAdd(&lows[b], q & 0xffffffffull);
			} else {
				atomicAdd(&p->sums[at + b].n, 1ull);
				atomicAdd(&p->sums[at + b].sum, (u64)(i64)v);
				atomicAdd(&p->sums[at + b].high, q >> 32);
				atomicAdd(&p->sums[at + b].low, q & 0xffffffffull);
			}
		}
	}
	EACH_THREAD {
		for (i32 b = (i32)threadIdx.x; shared && b < p->bins; b += (i32)blockDim.x) {
			struct Sums *s = &p->sums[at + (u64)b];
			if (counts[b] == 0)
				continue;
			atomicAdd(&s->n, (u64)counts[b]);
			atomicAdd(&s->sum, sums[b]);
			atomicAdd(&s->high, highs[b]);
			atomicAdd(&s->low, lows[b]);
		}
	}
}

// fullBounds turns the sums into the next bounds, and empties them. Its blocks cover the bins.
KERNEL fullBounds(const struct Params *p) {
	EACH_THREAD {
		i32 b = (i32)(blockIdx.x * blockDim.x + threadIdx.x);
		u64 at = place(p, blockIdx.z) + (u64)b;
		if (b < p->bins) {
			struct Sums none = {0, 0, 0, 0};
			bounds(p, at, &p->sums[at], &p->lo[at], &p->hi[at]);
			p->sums[at] = none;
		}
	}
}

// offsets adds the means of the bins. Its blocks cover them.
KERNEL offsets(const struct Params *p) {
	SHARED u64 sum;
	EACH_THREAD {
		if (threadIdx.x == 0)
			sum = 0;
	}
	EACH_THREAD {
		i32 b = (i32)(blockIdx.x * blockDim.x + threadIdx.x);
		if (b < p->bins)
			atomicAdd(&sum, (u64)p->offset[place(p, blockIdx.z) + (u64)b]);
	}
	EACH_THREAD {
		if (threadIdx.x == 0)
			atomicAdd(&head(p, blockIdx.z)->offsets, sum);
	}
}

// candidates lists the pixels above the least limits, each a group of its own so far, and counts those in other ranges.
// Each thread has eight pixels.
KERNEL candidates(const struct Params *p) {
	SHARED u32 list[BLOCK * EIGHT];
	SHARED u32 found, switches, base;
	EACH_THREAD {
		if (threadIdx.x == 0)
			found = switches = 0;
	}
	EACH_THREAD {
		i64 first = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * EIGHT;
		if (first < p->total) {
			const struct Eight raw = *(const struct Eight *)(p->raw + (u64)blockIdx.z * (u64)p->stride + (u64)first);
			const struct Eight pedestal = *(const struct Eight *)(p->pedestal + first);
			const struct Eight bin = *(const struct Eight *)(p->bin + first);
			const i32 *least = p->least + place(p, blockIdx.z);
			for (int k = 0; k < EIGHT; k++) {
				int switched;
				i32 v;
				if (of(&bin, k) >= UNUSED)
					continue;
				v = value(p, (i32)first + k, of(&raw, k), (i16)of(&pedestal, k), &switched);
				if (v == BAD)
					continue;
				if (switched)
					atomicAdd(&switches, 1u);
				if (v > least[of(&bin, k)])
					list[atomicAdd(&found, 1u)] = (u32)(first + k);
			}
		}
	}
	EACH_THREAD {
		if (threadIdx.x == 0 && found > 0) {
			base = atomicAdd(&head(p, blockIdx.z)->listed, found);
			atomicAdd(&head(p, blockIdx.z)->pixels, found);
		}
		if (threadIdx.x == 0 && switches > 0)
			atomicAdd(&head(p, blockIdx.z)->switched, switches);
	}
	EACH_THREAD {
		for (u32 k = threadIdx.x; k < found; k += blockDim.x) {
			if (base + k >= (u32)p->maxCandidates)
				break;
			p->candidates[(u64)blockIdx.z * (u64)p->maxCandidates + base + k] = list[k];
			p->parent[(u64)blockIdx.z * (u64)p->stride + list[k]] = list[k];
		}
	}
}

// listed is how many candidates there are to look at; none where the list was too short. All threads see the same.
DEVICE u32 listed(const struct Params *p) {
	u32 n = head(p, blockIdx.z)->listed;
	return n > (u32)p->maxCandidates ? 0 : n;
}

DEVICE u32 candidate(const struct Params *p, u32 k) {
	return p->candidates[(u64)blockIdx.z * (u64)p->maxCandidates + k];
}

// doubt finds the bins that have pixels which decide about a group: hit.Plan.Doubt says how, and the definition's decides.
KERNEL doubt(const struct Params *p) {
	u32 count = listed(p);
	EACH_THREAD {
		u64 first = place(p, blockIdx.z);
		for (u32 k = blockIdx.x * blockDim.x + threadIdx.x; k < count; k += gridDim.x * blockDim.x) {
			i32 i = (i32)candidate(p, k), row = i % p->pixels / p->cols, col = i % p->pixels % p->cols;
			i32 rows = p->pixels / p->cols, some = 0, sure = 0;
			if (valueAt(p, blockIdx.z, i) > p->most[first + p->bin[i]])
				continue;
			for (i32 y = row > 0 ? -1 : 0; y <= (row < rows - 1 ? 1 : 0); y++)
				for (i32 x = col > 0 ? -1 : 0; x <= (col < p->cols - 1 ? 1 : 0); x++) {
					i32 at = i + y * p->cols + x, v;
					if (p->bin[at] >= UNUSED)
						continue;
					v = valueAt(p, blockIdx.z, at); // a bad one is above nothing
					some += v > p->least[first + p->bin[at]];
					sure += v > p->most[first + p->bin[at]];
				}
			if (some >= (p->minPix < 2 ? p->minPix : 2) && sure < p->minPix)
				p->open[first + p->bin[i]] = 1; // whoever says so
		}
	}
}

// rings makes the thresholds of such bins from their own pixels, a bin per block.
KERNEL rings(const struct Params *p) {
	SHARED struct Sums s;
	SHARED i32 lo, hi, least;
	u32 bin = blockIdx.x, from = p->ringAt[bin], to = p->ringAt[bin + 1];
	u64 at = place(p, blockIdx.z) + bin;
	int turns = p->open[at] ? TURNS : 0;
	EACH_THREAD {
		if (threadIdx.x == 0) {
			lo = BAD;
			hi = 2147483647;
			least = p->least[at];
		}
	}
	for (int turn = 0; turn < turns; turn++) {
		EACH_THREAD {
			if (threadIdx.x == 0) {
				struct Sums none = {0, 0, 0, 0};
				s = none;
			}
		}
		EACH_THREAD {
			struct Sums mine = {0, 0, 0, 0};
			for (u32 k = from + threadIdx.x; k < to; k += blockDim.x) {
				i32 v = valueAt(p, blockIdx.z, (i32)p->ring[k]);
				u64 q = square(v);
				if (v == BAD || v <= lo || v >= hi)
					continue;
				mine.n++;
				mine.sum += (u64)(i64)v;
				mine.high += q >> 32;
				mine.low += q & 0xffffffffull;
			}
			if (mine.n > 0) {
				atomicAdd(&s.n, mine.n);
				atomicAdd(&s.sum, mine.sum);
				atomicAdd(&s.high, mine.high);
				atomicAdd(&s.low, mine.low);
			}
		}
		EACH_THREAD {
			if (threadIdx.x == 0)
				bounds(p, at, &s, &lo, &hi);
		}
	}
	EACH_THREAD {
		if (threadIdx.x == 0 && turns > 0 && p->limit[at] < least)
			p->limit[at] = least;
	}
}

// keep takes candidates that are not above their limits now off the list.
KERNEL keep(const struct Params *p) {
	u32 count = listed(p);
	EACH_THREAD {
		for (u32 k = blockIdx.x * blockDim.x + threadIdx.x; k < count; k += gridDim.x * blockDim.x) {
			if (above(p, blockIdx.z, (i32)candidate(p, k)))
				continue;
			p->candidates[(u64)blockIdx.z * (u64)p->maxCandidates + k] = OFF;
			atomicAdd(&head(p, blockIdx.z)->pixels, ~0u);
		}
	}
}

// find follows a pixel to the one that stands for its group, the first of it that is known so far.
DEVICE u32 find(const u32 *parent, u32 i) {
	for (;;) {
		u32 next = *(const volatile u32 *)(parent + i);
		if (next == i)
			return i;
		i = next;
	}
}

DEVICE void unite(u32 *parent, u32 a, u32 b) {
	for (;;) {
		u32 old;
		a = find(parent, a);
		b = find(parent, b);
		if (a == b)
			return;
		if (a < b) {
			u32 c = a;
			a = b;
			b = c;
		}
		old = atomicCAS(&parent[a], a, b);
		if (old == a)
			return;
		a = old;
	}
}

// join makes groups of candidates that are neighbours.
KERNEL join(const struct Params *p) {
	u32 count = listed(p);
	EACH_THREAD {
		u32 *parent = p->parent + (u64)blockIdx.z * (u64)p->stride;
		for (u32 k = blockIdx.x * blockDim.x + threadIdx.x; k < count; k += gridDim.x * blockDim.x) {
			i32 i = (i32)candidate(p, k), row, col;
			const struct Panel *panel;
			int left, right, up;
			if ((u32)i == OFF)
				continue;
			row = i % p->pixels / p->cols;
			col = i % p->pixels % p->cols;
			panel = &p->panels[p->panelOf[i]];
			left = col > panel->col;
			right = col < panel->col + panel->cols - 1;
			up = row > panel->row;
			if (left && above(p, blockIdx.z, i - 1))
				unite(parent, (u32)i, (u32)(i - 1));
			if (up && left && above(p, blockIdx.z, i - p->cols - 1))
				unite(parent, (u32)i, (u32)(i - p->cols - 1));
			if (up && above(p, blockIdx.z, i - p->cols))
				unite(parent, (u32)i, (u32)(i - p->cols));
			if (up && right && above(p, blockIdx.z, i - p->cols + 1))
				unite(parent, (u32)i, (u32)(i - p->cols + 1));
		}
	}
}

// roots gives each group its sums, empty, and the pixel that stands for it the number of these.
KERNEL roots(const struct Params *p) {
	u32 count = listed(p);
	EACH_THREAD {
		u32 *parent = p->parent + (u64)blockIdx.z * (u64)p->stride;
		for (u32 k = blockIdx.x * blockDim.x + threadIdx.x; k < count; k += gridDim.x * blockDim.x) {
			u32 i = candidate(p, k), slot;
			if (i == OFF || parent[i] != i)
				continue;
			slot = atomicAdd(&head(p, blockIdx.z)->groups, 1u);
			parent[i] = ROOT | slot;
			if (slot < (u32)p->maxGroups) {
				struct Group none = {0, 0, 0, 0, 0, 0, NONE, BAD, 0, 0, 0};
				none.panel = p->panelOf[i];
				p->groups[(u64)blockIdx.z * (u64)p->maxGroups + slot] = none;
			}
		}
	}
}

// grouped is how many groups there are to look at; none where a list was too short. All threads see the same.
DEVICE u32 grouped(const struct Params *p) {
	u32 n = head(p, blockIdx.z)->groups;
	return n > (u32)p->maxGroups ? 0 : n;
}

// gather adds each candidate to its group.
KERNEL gather(const struct Params *p) {
	u32 count = grouped(p) > 0 ? listed(p) : 0;
	EACH_THREAD {
		const u32 *parent = p->parent + (u64)blockIdx.z * (u64)p->stride;
		for (u32 k = blockIdx.x * blockDim.x + threadIdx.x; k < count; k += gridDim.x * blockDim.x) {
			u32 i = candidate(p, k), at = i, panelAt;
			u64 row, col, x, w;
			i32 v;
			const struct Panel *panel;
			struct Group *g;
			if (i == OFF)
				continue;
			panelAt = p->panelOf[i];
			panel = &p->panels[panelAt];
			row = i % (u32)p->pixels / (u32)p->cols;
			col = i % (u32)p->pixels % (u32)p->cols;
			v = valueAt(p, blockIdx.z, (i32)i);
			x = (u64)(i64)v;
			w = x * STEPS - (u64)p->offset[place(p, blockIdx.z) + p->bin[i]];
			while (!(at & ROOT))
				at = parent[at];
			g = &p->groups[(u64)blockIdx.z * (u64)p->maxGroups + (at & ~ROOT)];
			atomicAdd(&g->n, 1u);
			atomicAdd(&g->sum, x);
			atomicAdd(&g->row, x * row);
			atomicAdd(&g->col, x * col);
			atomicAdd(&g->w, w);
			atomicAdd(&g->wrow, w * row);
			atomicAdd(&g->wcol, w * col);
			atomicMax(&g->highest, v);
			if ((i32)row > panel->row && (i32)row < panel->row + panel->rows - 1 && (i32)col > panel->col &&
			    (i32)col < panel->col + panel->cols - 1)
				atomicMin(&g->first, (u64)panelAt << 32 | (row * (u64)p->cols + col));
		}
	}
}

// center is a coordinate of hit.Group.First. What is farther away than any pixel stays so.
DEVICE i32 center(u64 sum, u64 w) {
	double x = rint((double)(i64)sum / fabs((double)(i64)w));
	x = x < 1e9 ? x : 1e9;
	return (i32)(x > -1e9 ? x : -1e9);
}

// inside is a coordinate on a panel, the nearest to the one given.
DEVICE i32 inside(i32 at, i32 from, i32 count) {
	at = at < from + count - 1 ? at : from + count - 1;
	return at > from ? at : from;
}

// Around is the background around a group.
struct Around {
	struct Sums s;
	i32 highest;
};

// measure is hit.Plan.Measure.
DEVICE int measure(const struct Params *p, const struct Group *g, const struct Around *d, double mean, struct Record *to) {
	const struct Panel *panel = &p->panels[g->panel];
	double sigma = p->noSigma, total, highest, snr = 0, sum, row, col;
	if (d->s.n > 0) {
		double n = (double)d->s.n, variance;
		mean = (double)(i64)d->s.sum / n;
		variance = squares(d->s.high, d->s.low) / n - mean * mean;
		if (variance >= 0)
			sigma = sqrt(variance);
	}
	total = (double)(i64)g->sum - (double)g->n * mean;
	highest = (double)g->highest - mean;
	if (highest < 0)
		highest = 0;
	if (sigma * p->step > 1e-10)
		snr = total / sigma;
	if (g->sum == 0 || snr < p->minSNR || highest < (double)d->highest - mean)
		return 0;
	sum = fabs((double)(i64)g->sum);
	row = (double)(i64)g->row / sum;
	col = (double)(i64)g->col / sum;
	if (row < panel->row || row > panel->row + panel->rows - 1 || col < panel->col || col > panel->col + panel->cols - 1)
		return 0;
	to->first = g->first;
	to->segment = (u16)panel->segment;
	to->npix = (u16)g->n;
	to->row = (float)row;
	to->col = (float)col;
	to->total = (float)(total * p->step);
	to->max = (float)(highest * p->step);
	to->background = (float)(mean * p->step);
	to->sigma = (float)(sigma * p->step);
	to->snr = (float)snr;
	return 1;
}

// peaks measures the groups, one after the other by each block.
KERNEL peaks(const struct Params *p) {
	SHARED struct Around around;
	SHARED i32 wanted, row, col;
	u32 count = grouped(p);
	for (u32 at = blockIdx.x; at < count; at += gridDim.x) {
		const struct Group *g = &p->groups[(u64)blockIdx.z * (u64)p->maxGroups + at];
		const struct Panel *panel = &p->panels[g->panel];
		EACH_THREAD {
			if (threadIdx.x == 0) {
				struct Around none = {{0, 0, 0, 0}, 0};
				around = none;
				wanted = g->n >= (u32)p->minPix && g->n <= (u32)p->maxPix && g->first != NONE && g->w != 0;
				if (wanted) {
					row = center(g->wrow, g->w);
					col = center(g->wcol, g->w);
				}
			}
		}
		EACH_THREAD {
			struct Around mine = {{0, 0, 0, 0}, 0};
			i32 r = p->radius, width = 4 * r;
			for (i32 k = (i32)threadIdx.x; wanted && k < width * width; k += (i32)blockDim.x) {
				i32 dy = k / width - 2 * r, dx = k % width - 2 * r, y = row + dy, x = col + dx, i, v;
				u64 q;
				if (dx * dx + dy * dy > 4 * r * r || y < panel->row || y >= panel->row + panel->rows ||
				    x < panel->col || x >= panel->col + panel->cols)
					continue;
				i = panel->segment * p->pixels + y * p->cols + x;
				if (p->bin[i] >= UNUSED)
					continue;
				v = valueAt(p, blockIdx.z, i);
				if (v == BAD || v >= p->below[place(p, blockIdx.z) + p->bin[i]])
					continue;
				q = square(v);
				mine.s.n++;
				mine.s.sum += (u64)(i64)v;
				mine.s.high += q >> 32;
				mine.s.low += q & 0xffffffffull;
				mine.highest = v > mine.highest ? v : mine.highest;
			}
			if (mine.s.n > 0) {
				atomicAdd(&around.s.n, mine.s.n);
				atomicAdd(&around.s.sum, mine.s.sum);
				atomicAdd(&around.s.high, mine.s.high);
				atomicAdd(&around.s.low, mine.s.low);
				atomicMax(&around.highest, mine.highest);
			}
		}
		EACH_THREAD {
			if (threadIdx.x == 0 && wanted) {
				struct Head *h = head(p, blockIdx.z);
				i32 i = panel->segment * p->pixels + inside(row, panel->row, panel->rows) * p->cols +
				        inside(col, panel->col, panel->cols);
				struct Record found;
				if (measure(p, g, &around, p->mean[place(p, blockIdx.z) + (p->bin[i] & ~UNUSED)], &found)) {
					u32 slot = atomicAdd(&h->peaks, 1u);
					if (slot < (u32)p->maxPeaks)
						((struct Record *)(h + 1))[slot] = found;
				}
			}
		}
	}
}
