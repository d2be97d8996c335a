#include "textflag.h"

// Offsets in struct pass.
#define RAW 0
#define PEDESTAL 8
#define CODES 16
#define LADDER 32
#define OUT 40
#define BLOCKS 48
#define FOUND 56
#define TOPEDESTAL 64
#define TOCODES 72
#define DATAMASK 80
#define BIAS 84

// func surviveAVX512(p *pass)
// What passAVX512 does where all blocks have one limit, the first of the ladder. Each block is written down, and the next
// one over it if nothing was in it: where every third block has a photon, no branch could be foreseen. One block more than
// there are must fit.
TEXT ·surviveAVX512(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ CODES(AX), R8
	MOVQ LADDER(AX), DI
	MOVQ OUT(AX), R9
	MOVQ BLOCKS(AX), CX
	MOVQ TOPEDESTAL(AX), R10
	MOVQ TOCODES(AX), R11
	VPBROADCASTW DATAMASK(AX), Z8
	VPBROADCASTW BIAS(AX), Z9
	VPBROADCASTW (DI), Z10
	XORQ R12, R12

block:
	PREFETCHT0 2048(SI)
	VMOVDQU16 (SI), Z0
	VPTESTMW (R8), Z0, K1         // range bits
	VPANDD Z8, Z0, Z0
	VPXORD Z9, Z0, Z0
	VPSUBSW (DX), Z0, Z0
	VPCMPGTW Z10, Z0, K2
	KORD K1, K2, K1
	KMOVD K1, R13
	MOVL R12, (R9)
	MOVL R13, 4(R9)
	XORL R15, R15
	TESTL R13, R13
	SETNE R15
	LEAQ (R9)(R15*8), R9
	ADDQ $64, SI
	ADDQ R10, DX
	ADDQ R11, R8
	INCQ R12
	CMPQ R12, CX
	JLT block
	SUBQ OUT(AX), R9
	SHRQ $3, R9
	MOVQ R9, FOUND(AX)
	VZEROUPPER
	RET
