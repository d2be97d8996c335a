#include "textflag.h"

// Offsets in struct halves, of which the first are those of struct pass.
#define RAW 0
#define PEDESTAL 8
#define CODES 16
#define BLOCKS 48
#define FOUND 56
#define TOPEDESTAL 64
#define TOCODES 72
#define DATAMASK 80
#define BIAS 84
#define USED 96
#define COUNTS 104
#define WHOLE 112
#define LIST 120
#define COLS 128
#define BELOW 136

// Offsets in struct halfBlock.
#define BLOCK 0
#define HALF 4
#define OTHERS 8
#define LEFT 12
#define ABOVE 16
#define MOST 20
#define LOW 24
#define HIGH 28

// AHEAD is how many bytes of pixels and pedestals are asked for before they are needed.
#define AHEAD 8192

// Pixels are compared with half a photon, one, and one and a half.
#define LIMITS \
	MOVQ RAW(AX), SI \
	MOVQ PEDESTAL(AX), DX \
	MOVQ CODES(AX), R8 \
	MOVQ LIST(AX), R9 \
	MOVQ TOPEDESTAL(AX), R10 \
	MOVQ TOCODES(AX), R11 \
	MOVQ USED(AX), DI \
	VPBROADCASTW DATAMASK(AX), Z8 \
	VPBROADCASTW BIAS(AX), Z9 \
	VPBROADCASTW (BELOW+0)(AX), Z10 \
	VPBROADCASTW (BELOW+2)(AX), Z11 \
	VPBROADCASTW (BELOW+4)(AX), Z12

// func halvesAVX512(p *halves)
// Writes the map of pixels that have one photon and less than half of another, and lists the blocks with halves or with
// pixels for which this is no answer. Each block is written down, and the next one over it if nothing was in it: where
// every third block has a photon, no branch could be foreseen. One block more than there are must fit.
TEXT ·halvesAVX512(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	LIMITS
	MOVQ BLOCKS(AX), CX
	MOVQ COUNTS(AX), BX
	VPTERNLOGD $0xFF, Z13, Z13, Z13
	VPSRLW $15, Z13, Z13          // ones
	VPXORD Z14, Z14, Z14
	XORQ R12, R12

block:
	PREFETCHT0 AHEAD(SI)
	PREFETCHT0 AHEAD(DX)
	VMOVDQU16 (SI), Z0
	VPTESTMW (R8), Z0, K1         // range bits
	VPANDD Z8, Z0, Z0
	VPXORD Z9, Z0, Z0
	VPSUBSW (DX), Z0, Z0
	VPCMPGTW Z10, Z0, K2
	VPCMPGTW Z11, Z0, K3
	VPCMPGTW Z12, Z0, K4
	KMOVD (DI)(R12*4), K5
	KORD K1, K4, K4
	KANDD K5, K4, K4              // others
	KANDD K5, K2, K2
	KANDND K2, K4, K2
	KANDD K2, K3, K3              // one
	KANDND K2, K3, K2             // half
	VMOVDQU16.Z Z13, K3, Z1
	VMOVDQU16 Z1, (BX)
	VPADDW Z1, Z14, Z14
	KMOVD K2, R13
	KMOVD K4, R15
	MOVL R12, BLOCK(R9)
	MOVL R13, HALF(R9)
	MOVL R15, OTHERS(R9)
	ORL R15, R13
	NEGL R13
	SBBQ R13, R13                 // all bits if there is something
	ANDL $32, R13
	ADDQ R13, R9
	ADDQ $64, SI
	ADDQ $64, BX
	ADDQ R10, DX
	ADDQ R11, R8
	INCQ R12
	CMPQ R12, CX
	JLT block
	SUBQ LIST(AX), R9
	SHRQ $5, R9
	MOVQ R9, FOUND(AX)
	VPMADDWD Z13, Z14, Z14        // at most as many as blocks in each lane
	VEXTRACTI64X4 $1, Z14, Y1
	VPADDD Y1, Y14, Y1
	VEXTRACTI128 $1, Y1, X2
	VPADDD X2, X1, X1
	VPSHUFD $0x4E, X1, X2
	VPADDD X2, X1, X1
	VPSHUFD $0xB1, X1, X2
	VPADDD X2, X1, X1
	VMOVD X1, R13
	MOVQ R13, WHOLE(AX)
	VZEROUPPER
	RET

// BESIDE takes what the pixels have at R13 bytes from the first: nothing if they are not used, or below zero. Those for
// which this is no answer go to K7.
#define BESIDE(V) \
	VMOVDQU16 (SI)(R13*1), V \
	MOVQ R13, R15 \
	ANDQ R11, R15 \
	VPTESTMW (R8)(R15*1), V, K1 \
	VPANDD Z8, V, V \
	VPXORD Z9, V, V \
	MOVQ R13, R15 \
	ANDQ R10, R15 \
	VPSUBSW (DX)(R15*1), V, V \
	MOVQ R13, R15 \
	SHRQ $4, R15 \
	MOVQ (DI)(R15*1), R15 \
	MOVQ R13, BX \
	SHRQ $1, BX \
	ANDQ $7, BX \
	SHRXQ BX, R15, R15 \
	KMOVD R15, K2 \
	VPMAXSW.Z Z7, V, K2, V \
	VPCMPGTW Z11, V, K3 \
	KANDD K2, K1, K1 \
	KORD K1, K3, K1 \
	KORD K1, K7, K7

// func besideAVX512(p *halves)
// Looks at the neighbours of the pixels with half a photon, and fills the rest of the list. All neighbours must be there.
TEXT ·besideAVX512(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	LIMITS
	MOVQ BLOCKS(AX), CX
	MOVQ COLS(AX), R14            // in bytes
	VPBROADCASTW (BELOW+6)(AX), Z12 // what belongs to a photon
	VPBROADCASTW (BELOW+8)(AX), Z13
	VPXORD Z7, Z7, Z7

look:
	MOVL BLOCK(R9), R12
	SHLQ $6, R12
	VMOVDQU16 (SI)(R12*1), Z0
	VPANDD Z8, Z0, Z0
	VPXORD Z9, Z0, Z0
	MOVQ R12, R15
	ANDQ R10, R15
	VPSUBSW (DX)(R15*1), Z0, Z0
	KXORD K7, K7, K7
	MOVQ R12, R13
	SUBQ R14, R13
	BESIDE(Z1)
	LEAQ (R12)(R14*1), R13
	BESIDE(Z2)
	LEAQ -2(R12), R13
	BESIDE(Z3)
	LEAQ 2(R12), R13
	BESIDE(Z4)
	KMOVD HALF(R9), K6
	VPCMPGTW Z3, Z0, K1
	VPCMPGTW Z1, Z0, K2
	KMOVD K1, LEFT(R9)
	KMOVD K2, ABOVE(R9)
	VPCMPW $5, Z1, Z2, K1         // below at least above
	VPMAXSW Z1, Z2, Z1
	VPCMPW $5, Z1, Z3, K2         // left at least those
	VPMAXSW Z1, Z3, Z1
	VPCMPW $5, Z1, Z4, K3         // right at least those
	VPMAXSW Z1, Z4, Z1
	KANDND K1, K2, K1             // the number of the last one that has most
	KORD K3, K1, K1
	KORD K3, K2, K2
	KMOVD K1, LOW(R9)
	KMOVD K2, HIGH(R9)
	VPADDSW Z1, Z0, Z5
	VPCMPW $5, Z1, Z0, K1
	VPCMPGTW Z12, Z5, K2
	KANDD K2, K1, K1
	KANDD K6, K1, K1
	KMOVD K1, MOST(R9)
	VPCMPEQW Z13, Z5, K1
	KORD K1, K7, K7
	KANDD K6, K7, K7
	KMOVD OTHERS(R9), K1
	KORD K1, K7, K7
	KMOVD K7, OTHERS(R9)
	ADDQ $32, R9
	DECQ CX
	JNZ look
	VZEROUPPER
	RET
