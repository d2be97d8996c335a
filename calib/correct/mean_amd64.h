// Offsets in struct ring. Where a bank has its place there, that is 64 bytes, or a multiple of them, further on.
#define FLOATS 0
#define INUNITS 4096
#define SUMS 6144
#define SQUARES 7168
#define AGAIN 8192
#define MASKS 9216
#define UNSWITCHED 9472
#define LOWS 9728
#define SPANS 9792
#define FOURMODES 9856

// SOON is how many pixels ahead memory is asked.
#define SOON 1024

// FOURBANKS reads what four banks, of which the first is at R11, have at P.
#define FOURBANKS(P) \
	VMOVDQU64 P(R15)(R11*1), Z0 \
	VMOVDQU64 P+64(R15)(R11*1), Z1 \
	VMOVDQU64 P+128(R15)(R11*1), Z2 \
	VMOVDQU64 P+192(R15)(R11*1), Z3

// FOLD adds Z0 to Z3 each to a quarter of Z0.
#define FOLD \
	VSHUFI64X2 $0x44, Z1, Z0, Z4 \
	VSHUFI64X2 $0xEE, Z1, Z0, Z0 \
	VSHUFI64X2 $0x44, Z3, Z2, Z5 \
	VSHUFI64X2 $0xEE, Z3, Z2, Z2 \
	VPADDD Z4, Z0, Z0 \
	VPADDD Z5, Z2, Z2 \
	VSHUFI64X2 $0x88, Z2, Z0, Z1 \
	VSHUFI64X2 $0xDD, Z2, Z0, Z0 \
	VPADDD Z1, Z0, Z0

// TAKEN makes K1 and K2 the masks of the units in A and B from those in Z14 on, over those in Z13, others 0, and S the sum
// of neighbours. It notes in N how many they are, as a byte after those of the three banks before.
#define TAKEN(A, B, S, N) \
	VPSUBW Z14, A, Z10 \
	VPSUBW Z14, B, Z11 \
	VPCMPUW $2, Z13, Z10, K1 \
	VPCMPUW $2, Z13, Z11, K2 \
	VMOVDQU16.Z A, K1, A \
	VMOVDQU16.Z B, K2, B \
	KUNPCKDQ K1, K2, K3 \
	KMOVQ K3, R11 \
	VPMADDWD Z28, A, S \
	VPMADDWD Z28, B, Z10 \
	POPCNTQ R11, R11 \
	SHRL $8, N \
	SHLL $24, R11 \
	VPADDD Z10, S, S \
	ORL R11, N

// FULL sets the flags to whether no pixel of four banks, of which the masks are at CX, is to be mended.
#define FULL \
	MOVQ (CX), DX \
	ANDQ 8(CX), DX \
	ANDQ 16(CX), DX \
	ANDQ 24(CX), DX \
	CMPQ DX, $-1
