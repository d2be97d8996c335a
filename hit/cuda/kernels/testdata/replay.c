// Replay launches of the kernels from standard input, with memory that sanitizers watch, and write what comes back to
// standard output. All numbers are u64: how many allocations; for each its address, its size and its bytes; how many
// launches; for each the kernel, blocks, frames, threads, seed and address of its Params.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../launch.h"

struct Piece {
	u64 address, size;
	char *memory;
};

static struct Piece *pieces;
static u64 count;

static void take(void *to, u64 bytes) {
	if (bytes && fread(to, 1, bytes, stdin) != bytes) {
		fprintf(stderr, "replay: the input ends too early\n");
		exit(2);
	}
}

static u64 number(void) {
	u64 n;
	take(&n, sizeof n);
	return n;
}

static struct Piece *pieceOf(u64 address) {
	for (u64 i = 0; i < count; i++)
		if (address >= pieces[i].address && address < pieces[i].address + pieces[i].size)
			return &pieces[i];
	fprintf(stderr, "replay: %llx is nowhere\n", address);
	exit(2);
}

static void *here(u64 address) {
	struct Piece *p = pieceOf(address);
	return p->memory + (address - p->address);
}

int main(void) {
	u64 launches, out = 0;
	count = number();
	pieces = calloc(count, sizeof *pieces);
	for (u64 i = 0; i < count; i++) {
		pieces[i].address = number();
		pieces[i].size = number();
		pieces[i].memory = malloc(pieces[i].size);
		take(pieces[i].memory, pieces[i].size);
	}
	launches = number();
	for (u64 i = 0; i < launches; i++) {
		u64 kernel = number(), blocks = number(), frames = number(), threads = number(), seed = number(), at = number();
		struct Params p;
		u64 pointers[offsetof(struct Params, adcThreshold) / sizeof(u64)];
		memcpy(&p, here(at), sizeof p);
		out = (u64)p.out;
		memcpy(pointers, &p, sizeof pointers);
		for (u64 k = 0; k < sizeof pointers / sizeof *pointers; k++)
			if (pointers[k])
				pointers[k] = (u64)here(pointers[k]);
		memcpy(&p, pointers, sizeof pointers);
		if (!drp_launch((int)kernel, (u32)blocks, (u32)frames, (u32)threads, seed, &p)) {
			fprintf(stderr, "replay: there is no kernel %llu\n", kernel);
			return 2;
		}
	}
	fwrite(pieceOf(out)->memory, 1, pieceOf(out)->size, stdout);
	for (u64 i = 0; i < count; i++)
		free(pieces[i].memory);
	free(pieces);
	return 0;
}
