// What the host and the kernels share; package cuda has the same in Go, and a test compares the two.
#ifndef DRP_PARAMS_H
#define DRP_PARAMS_H

typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

// Panel is a rectangle of a segment with pixels that are neighbours of each other.
struct Panel {
	i32 segment, row, col, rows, cols;
};

// Sums are those of the values of a bin between two bounds. Squares are kept in two words, as hit.Sums does.
struct Sums {
	u64 n, sum, high, low;
};

// Group is the sums over a group of pixels, as hit.Group has them; negative ones wrap around.
struct Group {
	u64 sum, row, col, w, wrow, wcol;
	u64 first; // panel and place of the first pixel that is not on the rim; NONE where all are
	i32 highest;
	u32 n, panel, spare;
};

// Head is what comes back of a frame beside its peaks. It counts also what found no place in its list; then the counts
// behind it mean nothing.
struct Head {
	u64 offsets; // sum of the bins' means, in offsets' units
	u32 pixels, groups, peaks;
	u32 switched;
	u32 listed, spare; // pixels that were above the least limits
};

// Record is a peak, and where it belongs in the list.
struct Record {
	u64 first;
	u16 segment, npix;
	float row, col, total, max, background, sigma, snr;
};

// Params are the constants of a plan and the buffers of a lane. What is per frame has frame after frame.
struct Params {
	const u16 *raw;        // stride per frame
	const i16 *pedestal;   // rounded, less bias, of each pixel; BAD_PEDESTAL in bad ones
	const u16 *codes;      // bits of each raw pixel that tell of another range; null: code serves all
	const float *pedestals; // total for each range
	const float *factors;
	const u16 *bin;        // of each pixel, UNUSED set in those that are not used
	const u16 *panelOf;
	const struct Panel *panels;
	const u32 *sample;     // those of bin b from sampleAt[b] to sampleAt[b+1]
	const u32 *sampleAt;
	const u32 *ring;       // pixels of the bins, those of bin b from ringAt[b] to ringAt[b+1]
	const u32 *ringAt;
	i32 *limit;            // this and the next nine: bins per frame
	i32 *below;
	i32 *least;            // what the limit may be at least and at most
	i32 *most;
	i32 *open;             // 1 where it matters which
	double *mean;
	i64 *offset;
	i32 *lo;
	i32 *hi;
	struct Sums *sums;
	u32 *parent;           // stride per frame
	u32 *candidates;       // maxCandidates per frame
	struct Group *groups;  // maxGroups per frame
	u8 *out;               // outBytes per frame: a Head and maxPeaks of Record
	double adcThreshold, minSNR, doubt, step, noSigma;
	i32 total, stride, pixels, cols, bins;
	i32 code, bias, dataMask, special, pick[4];
	i32 minPix, maxPix, radius;
	i32 maxCandidates, maxGroups, maxPeaks, outBytes;
	i32 pool; // bins on each side that lend a bin their samples
};

#endif
