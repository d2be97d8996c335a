#include "textflag.h"
#include "loop_amd64.h"

// Offsets in struct switching, after those of its loop.
#define SWITCHED 208
#define VALUES 720

// AHEADRAW is how many pixels ahead memory is asked for raw ones, AHEADTABLE for constants.
#define AHEADRAW 2048
#define AHEADTABLE 1536

// BLOCK gives, of the 1024 pixels from R14 on, the place of their bits in CX, and in R12 a bit for each 64 of them of which
// some switched. Without one, the flags say zero.
#define BLOCK \
	MOVQ R14, CX \
	SHRQ $3, CX \
	ANDQ $511, CX \
	LEAQ SWITCHED(AX)(CX*1), CX \
	VMOVDQU64 (CX), Z0 \
	VMOVDQU64 64(CX), Z1 \
	VPTESTMQ Z0, Z0, K1 \
	VPTESTMQ Z1, Z1, K2 \
	KUNPCKBW K1, K2, K1 \
	KMOVW K1, R12 \
	TESTQ R12, R12

// func convertAVX512(s *switching)
// As convertAVX2, past the caches; N is a multiple of 64, DST of 64 bytes. What is guessed wrong while memory is waited for
// costs more than all the arithmetic, so that nothing is guessed of single pixels: 2048 pixels ahead bits are noted for those
// that switched. Once in 1024 pixels, what those of the next thousand need of other ranges is called for, and those of this
// one, for which that was done before, become a list of values, of which the loop takes as many as there are bits.
TEXT ·convertAVX512(SB), NOSPLIT, $0-8
	MOVQ s+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ FACTOR(AX), BX
	VPBROADCASTD DATAMASK(AX), Z31
	MOVQ $-2048, R10

block:
	LEAQ 1024(R10), R14
	CMPQ R14, N(AX)
	JCC called
	BLOCK
	JEQ called

callgroup:
	BSFQ R12, R15
	MOVQ (CX)(R15*8), DX
	SHLQ $6, R15
	ADDQ R14, R15

callpixel:
	BSFQ DX, R11
	ADDQ R15, R11
	MOVWLZX (SI)(R11*2), R13
	SHRL $15, R13
	ANDL SPECIAL(AX), R13
	SHLQ $4, R13
	MOVQ PEDESTAL1(AX)(R13*1), R9
	PREFETCHT0 (R9)(R11*4)
	MOVQ FACTOR1(AX)(R13*1), R9
	PREFETCHT0 (R9)(R11*4)
	LEAQ -1(DX), R11
	ANDQ R11, DX
	JNE callpixel
	LEAQ -1(R12), R11
	ANDQ R11, R12
	JNE callgroup

called:
	CMPQ R10, N(AX)
	JCC listed
	LEAQ VALUES(AX), R13
	MOVQ R10, R14
	BLOCK
	JEQ listed

group:
	BSFQ R12, R15
	MOVQ (CX)(R15*8), DX
	SHLQ $6, R15
	ADDQ R14, R15

pixel:
	BSFQ DX, R11
	ADDQ R15, R11
	MOVWLZX (SI)(R11*2), R8
	MOVL R8, R9
	ANDL DATAMASK(AX), R9
	VXORPS X0, X0, X0
	VCVTSI2SSL R9, X0, X0
	MOVL R8, R9
	SHRL $15, R9
	ANDL SPECIAL(AX), R9
	SHLQ $4, R9
	ADDQ AX, R9
	MOVQ PEDESTAL1(R9), BX
	VSUBSS (BX)(R11*4), X0, X0
	MOVQ FACTOR1(R9), BX
	VMULSS (BX)(R11*4), X0, X0
	CMPL SPECIAL(AX), $0
	JEQ known
	CMPL R8, $0xC000
	JEQ full
	CMPL R8, $0x4000
	JEQ none
	CMPL R8, $0xFFFF
	JEQ none
	SHRL $14, R8
	CMPL R8, $2
	JEQ none

known:
	VMOVSS X0, (R13)
	ADDQ $4, R13
	LEAQ -1(DX), R11
	ANDQ R11, DX
	JNE pixel
	LEAQ -1(R12), R11
	ANDQ R11, R12
	JNE group
	MOVQ FACTOR(AX), BX

listed:
	LEAQ VALUES(AX), R13
	MOVQ PEDESTAL(AX), R11
	MOVQ STEP(AX), R9
	LEAQ 2048(R10), R14
	MOVQ R14, R8
	SHRQ $4, R8
	IMULQ R9, R8
	ADDQ CODES(AX), R8

	PCALIGN $64
sixteen:
	MOVQ R10, CX
	SHRQ $3, CX
	ANDQ $511, CX
	CMPQ R10, N(AX)
	JCC converted
	VPMOVZXWD (SI)(R10*2), Z0
	VPANDD Z31, Z0, Z0
	VCVTDQ2PS Z0, Z0
	VSUBPS (R11)(R10*4), Z0, Z0
	VMULPS (BX)(R10*4), Z0, Z0
	MOVWLZX SWITCHED(AX)(CX*1), R15
	KMOVW R15, K1
	POPCNTL R15, R15
	VEXPANDPS (R13), K1, Z0
	LEAQ (R13)(R15*4), R13
	PREFETCHT0 (4*AHEADTABLE)(R11)(R10*4)
	PREFETCHT0 (4*AHEADTABLE)(BX)(R10*4)
	VMOVNTPS Z0, (DI)(R10*4)

converted:
	XORQ $256, CX
	MOVW $0, SWITCHED(AX)(CX*1)
	CMPQ R14, N(AX)
	JGE looked
	PREFETCHT0 (2*AHEADRAW)(SI)(R14*2)
	VMOVDQU (SI)(R14*2), Y1
	VPTESTMW (R8), Y1, K1
	KMOVW K1, SWITCHED(AX)(CX*1)

looked:
	ADDQ R9, R8
	ADDQ $16, R14
	ADDQ $16, R10
	CMPQ R10, N(AX)
	JEQ done
	TESTQ $1023, R10
	JNE sixteen
	JMP block

done:
	VZEROUPPER
	RET

full:
	MOVQ FACTOR(AX), BX
	TESTL $0x7FFFFFFF, (BX)(R11*4)
	JEQ none
	VMOVSS saturated<>(SB), X0
	JMP known

none:
	VXORPS X0, X0, X0
	JMP known
