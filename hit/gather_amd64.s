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
#define ENDS 112
#define VALUES 120
#define ROOM 128

// SOON is how many clusters are looked ahead.
#define SOON 32

// TAKE moves the value of the pick at OFFSET to its place.
#define TAKE(OFFSET, FROM, TO) \
	MOVL OFFSET(R10), FROM \
	MOVL FROM, TO \
	ANDL $1023, FROM \
	SHRL $10, TO \
	MOVWLZX (DI)(FROM*2), FROM \
	MOVW FROM, (R11)(TO*2)

// func gatherAVX512(from *gather)
// Of a chunk of clusters all values are made; then those of the sample are taken.
TEXT ·gatherAVX512(SB), NOSPLIT, $0-8
	MOVQ from+0(FP), AX
	MOVQ RAW(AX), SI
	MOVQ PEDESTAL(AX), DX
	MOVQ CODES(AX), R8
	MOVQ CLUSTERS(AX), BX
	MOVQ PICKS(AX), R10
	MOVQ VALUES(AX), R11
	VPBROADCASTW DATAMASK(AX), Z8
	VPBROADCASTW BIAS(AX), Z9
	VPTERNLOGD $0xFF, Z10, Z10, Z10
	VPSRLW $2, Z10, Z10           // the largest value
	XORQ R9, R9

chunk:
	MOVQ ROOM(AX), DI
	MOVQ BLOCKS(AX), R13
	LEAQ 32(R9), CX
	CMPQ CX, R13
	CMOVQGT R13, CX
	DECQ R13

cluster:
	LEAQ SOON(R9), R15
	CMPQ R15, R13
	CMOVQGT R13, R15
	MOVL (BX)(R15*8), R15         // a cluster that comes soon, or the last one
	SHLQ $6, R15
	PREFETCHT0 (SI)(R15*1)
	PREFETCHT0 63(SI)(R15*1)
	ANDQ TOPEDESTAL(AX), R15
	PREFETCHT0 (DX)(R15*1)
	MOVL (BX)(R9*8), R12
	KMOVD 4(BX)(R9*8), K3
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
	VMOVDQU64 Z0, (DI)
	KORD K1, K2, K1
	KTESTD K1, K3
	JNZ flagged

next:
	ADDQ $64, DI
	INCQ R9
	CMPQ R9, CX
	JLT cluster
	MOVQ ROOM(AX), DI
	MOVQ ENDS(AX), R14
	MOVL (R14), R12
	ADDQ $4, ENDS(AX)
	SHLQ $2, R12
	ADDQ PICKS(AX), R12           // the end of the chunk's
	LEAQ -12(R12), R13
	CMPQ R10, R13
	JGE few

four:
	TAKE(0, R14, R15)
	TAKE(4, CX, BX)
	TAKE(8, R14, R15)
	TAKE(12, CX, BX)
	ADDQ $16, R10
	CMPQ R10, R13
	JLT four

few:
	CMPQ R10, R12
	JGE taken
	TAKE(0, R14, R15)
	ADDQ $4, R10
	JMP few

taken:
	MOVQ CLUSTERS(AX), BX
	CMPQ R9, BLOCKS(AX)
	JLT chunk
	VZEROUPPER
	RET

flagged:
	MOVQ OUT(AX), R14
	MOVQ FOUND(AX), R15
	INCQ FOUND(AX)
	MOVL R9, (R14)(R15*8)
	JMP next
