#include "textflag.h"

// Offsets in struct gather, of which the first are those of struct pass.
#define RAW 0
#define PEDESTAL 8
#define CODES 16
#define OUT 40
#define BLOCKS 48
#define FOUND 56
#define TOPEDESTAL 64
#define TOCODES 72
#define DATAMASK 80
#define BIAS 84
#define CLUSTERS 96
#define PICKS 104
#define VALUES 112
#define ROOM 120

// SOON is how many clusters are looked ahead.
#define SOON 24

// func gatherAVX512(from *gather)
TEXT ·gatherAVX512(SB), NOSPLIT, $0-8
	MOVQ from+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ CODES(AX), R8
	MOVQ CLUSTERS(AX), BX
	MOVQ PICKS(AX), R10
	MOVQ VALUES(AX), R11
	MOVQ ROOM(AX), DI
	VPBROADCASTW DATAMASK(AX), Z8
	VPBROADCASTW BIAS(AX), Z9
	VPTERNLOGD $0xFF, Z10, Z10, Z10
	VPSRLW $2, Z10, Z10           // the largest value
	XORQ R9, R9

cluster:
	MOVQ BLOCKS(AX), R14
	DECQ R14
	LEAQ SOON(R9), R15
	CMPQ R15, R14
	CMOVQGT R14, R15
	MOVL (BX)(R15*8), R15         // a cluster that comes soon, or the last one
	SHLQ $6, R15
	PREFETCHT0 (SI)(R15*1)
	PREFETCHT0 63(SI)(R15*1)
	ANDQ TOPEDESTAL(AX), R15
	PREFETCHT0 (DX)(R15*1)
	MOVL (BX)(R9*8), R12
	MOVL 4(BX)(R9*8), R13
	SHLQ $6, R12
	VMOVDQU16 (SI)(R12*1), Z0
	MOVQ R12, R14
	ANDQ TOCODES(AX), R14
	VPTESTMW (R8)(R14*1), Z0, K1  // range bits
	VPANDD Z8, Z0, Z0
	VPXORD Z9, Z0, Z0
	ANDQ TOPEDESTAL(AX), R12
	VPSUBSW (DX)(R12*1), Z0, Z0
	VPABSW Z0, Z1
	VPCMPUW $6, Z10, Z1, K2       // too large
	KMOVD R13, K3
	KORD K1, K2, K1
	KANDD K1, K3, K1
	KORTESTD K1, K1
	JNZ flagged

values:
	VMOVDQU64 Z0, (DI)
	POPCNTL R13, R13

value:
	MOVL (R10), R14
	MOVL R14, R15
	ANDL $31, R14
	SHRL $5, R15
	MOVWLZX (DI)(R14*2), R14
	MOVW R14, (R11)(R15*2)
	ADDQ $4, R10
	DECL R13
	JNZ value
	XORQ $64, DI
	INCQ R9
	CMPQ R9, BLOCKS(AX)
	JLT cluster
	MOVQ R10, PICKS(AX)
	VZEROUPPER
	RET

flagged:
	MOVQ OUT(AX), R14
	MOVQ FOUND(AX), R15
	LEAQ (R14)(R15*8), R14
	INCQ FOUND(AX)
	MOVL R9, (R14)
	MOVQ R10, R15
	SUBQ PICKS(AX), R15
	SHRQ $2, R15
	MOVL R15, 4(R14)              // its first pick
	JMP values
