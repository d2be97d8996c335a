#include "textflag.h"
#include "loop_amd64.h"
#include "rows_amd64.h"

// Offsets in struct ring. Where a bank has its place there, that is 64 bytes, or a multiple of them, further on.
#define FLOATS 0
#define INUNITS 4096
#define SUMS 6144
#define SQUARES 7168
#define AGAIN 8192
#define FLAG 9216
#define LOWS 10240
#define SPANS 10256
#define FOURMODES 10272

// How many pixels ahead memory is asked.
#define SOON 2048

// The lowest double word of each quarter, then the next ones.
DATA quarters<>+0(SB)/4, $0
DATA quarters<>+4(SB)/4, $4
DATA quarters<>+8(SB)/4, $8
DATA quarters<>+12(SB)/4, $12
DATA quarters<>+16(SB)/4, $1
DATA quarters<>+20(SB)/4, $5
DATA quarters<>+24(SB)/4, $9
DATA quarters<>+28(SB)/4, $13
DATA quarters<>+32(SB)/4, $2
DATA quarters<>+36(SB)/4, $6
DATA quarters<>+40(SB)/4, $10
DATA quarters<>+44(SB)/4, $14
DATA quarters<>+48(SB)/4, $3
DATA quarters<>+52(SB)/4, $7
DATA quarters<>+56(SB)/4, $11
DATA quarters<>+60(SB)/4, $15
GLOBL quarters<>(SB), RODATA|NOPTR, $64

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

// func clippedAVX512(b *banks)
// Float32 with the clipped mean of each bank, four banks at a time, of which there are N pixels. What is to be computed
// waits for what was, and memory is slow; so each turn does another thing with three fours in a row, that have nothing to
// wait for from each other:
//
//	the bounds of the one before, from its sums
//	the result of the one before that, past the caches
//	pixels less pedestals, units and their sums of the next
//	sums within the bounds, and the mean, of the one before
//
// The first and the last turns have fours that are none: nothing is read or written of them.
TEXT ·clippedAVX512(SB), NOSPLIT, $0-8
	MOVQ b+0(FP), AX
	MOVQ DST(AX), DI
	MOVQ RAW(AX), SI
	MOVQ CODES(AX), R8
	MOVQ PART(AX), R9
	MOVQ FACTOR(AX), BX
	MOVQ RING(AX), R15
	VPBROADCASTD DATAMASK(AX), Z31
	VBROADCASTSS SCALE(AX), Z30
	VPTERNLOGD $0xFF, Z28, Z28, Z28
	VPSRLD $1, Z28, Z29           // no pixel
	VPSRLW $15, Z28, Z28          // 1
	VPBROADCASTD LOW(AX), Z27
	VPBROADCASTD SPAN(AX), Z26
	VMOVDQU64 quarters<>(SB), Z25
	VBROADCASTSD LOWEST(AX), Y24
	VBROADCASTSD HIGHEST(AX), Y23
	VBROADCASTSD three<>(SB), Y22
	VBROADCASTSD UNIT(AX), Y21
	VBROADCASTSD LEAST(AX), Y20
	VBROADCASTSD LIMIT(AX), Y19
	VBROADCASTSD magnitude<>(SB), Y18
	MOVQ WIDE(AX), R11
	MOVL $-1, R12
	CMPQ R11, $64
	JEQ 2(PC)
	MOVL $0xFFFF, R12
	KMOVD R12, K6                 // pixels of the second half of a bank
	KSHIFTRD $16, K6, K7          // and of the last quarter
	SHLQ $3, R11
	NEGQ R11
	MOVQ R11, R13                 // first pixel of the four of which results are made
	XORQ R10, R10                 // and of that of which sums are made
	XORQ R12, R12                 // place of the latter in the ring
	XORL R14, R14                 // how many pixels are in these sums, a byte for each bank

turn:
	LEAQ -256(R12), R11
	ANDQ $1023, R11
	FOURBANKS(SQUARES)
	FOLD
	VMOVDQA64 Z0, Z6
	FOURBANKS(SUMS)
	FOLD
	VPUNPCKLDQ Z6, Z0, Z1
	VPUNPCKHDQ Z6, Z0, Z0
	VPADDD Z1, Z0, Z0
	VPSHUFD $0x4E, Z0, Z1
	VPADDD Z1, Z0, Z0
	VPERMD Z0, Z25, Z0            // four sums, four sums of squares
	VCVTDQ2PD Y0, Z1
	VEXTRACTF64X4 $1, Z1, Y0
	VMOVD R14, X2
	VPMOVZXBD X2, X2
	VCVTDQ2PD X2, Y2
	VDIVPD Y2, Y1, Y1             // mean
	VDIVPD Y2, Y0, Y0
	VMULPD Y1, Y1, Y3
	VSUBPD Y3, Y0, Y0
	VXORPD Y3, Y3, Y3
	VMAXPD Y0, Y3, Y0             // variance
	VSQRTPD Y0, Y0
	VMULPD Y22, Y0, Y0
	VSUBPD Y0, Y1, Y3
	VADDPD Y0, Y1, Y4
	VROUNDPD $2, Y3, Y3
	VROUNDPD $1, Y4, Y4
	VMAXPD Y24, Y3, Y3            // NaN becomes the bound
	VMINPD Y23, Y4, Y4
	VCVTTPD2DQY Y3, X3
	VCVTTPD2DQY Y4, X4
	VPSUBD X3, X4, X4
	VPSLLD $16, X3, X5
	VPSLLD $16, X4, X6
	VPBLENDW $0xAA, X5, X3, X3    // twice, as words
	VPBLENDW $0xAA, X6, X4, X4
	VMOVDQU X3, LOWS(R15)
	VMOVDQU X4, SPANS(R15)

bank:
	MOVQ WIDE(AX), R11
	CMPQ R13, $0
	JLT lowered
	MOVQ R12, CX
	ANDQ $255, CX
	SHRQ $4, CX
	VBROADCASTSS FOURMODES(R15)(CX*1), Z8
	MOVQ R12, CX
	XORQ $512, CX
	CMPL FLAG(R15)(CX*1), $0
	JNE others
	VMOVUPS FLOATS(R15)(CX*4), Z0
	VMOVUPS FLOATS+64(R15)(CX*4), Z1
	VMOVUPS FLOATS+128(R15)(CX*4), Z2
	VSUBPS Z8, Z0, Z0
	VSUBPS Z8, Z1, Z1
	VSUBPS Z8, Z2, Z2
	VMULPS (BX)(R13*4), Z0, Z0
	VMULPS 64(BX)(R13*4), Z1, Z1
	VMULPS 128(BX)(R13*4), Z2, Z2
	PREFETCHT0 (4*SOON)(BX)(R13*4)
	PREFETCHT0 (4*SOON+64)(BX)(R13*4)
	PREFETCHT0 (4*SOON+128)(BX)(R13*4)
	PREFETCHT0 (4*SOON+192)(BX)(R13*4)
	VMOVNTPS Z0, (DI)(R13*4)
	VMOVNTPS Z1, 64(DI)(R13*4)
	VMOVNTPS Z2, 128(DI)(R13*4)
	CMPQ R11, $64
	JNE lowered
	VMOVUPS FLOATS+192(R15)(CX*4), Z3
	VSUBPS Z8, Z3, Z3
	VMULPS 192(BX)(R13*4), Z3, Z3
	VMOVNTPS Z3, 192(DI)(R13*4)

lowered:
	ADDQ R11, R13
	CMPQ R10, N(AX)
	JGE summed
	VMOVDQU16 (SI)(R10*2), Z0
	VMOVDQU16.Z 64(SI)(R10*2), K6, Z1
	VPMOVZXWD (SI)(R10*2), Z2
	VPMOVZXWD 32(SI)(R10*2), Z3
	VPMOVZXWD 64(SI)(R10*2), Z4
	VPMOVZXWD.Z 96(SI)(R10*2), K7, Z5
	PREFETCHT0 (2*SOON)(SI)(R10*2)
	PREFETCHT0 (2*SOON+64)(SI)(R10*2)
	VPTESTMW (R8), Z0, K1
	VPTESTMW 64(R8), Z1, K6, K2
	VPANDD Z31, Z2, Z2
	VPANDD Z31, Z3, Z3
	VPANDD Z31, Z4, Z4
	VPANDD Z31, Z5, Z5
	VCVTDQ2PS Z2, Z2
	VCVTDQ2PS Z3, Z3
	VCVTDQ2PS Z4, Z4
	VCVTDQ2PS Z5, Z5
	VSUBPS (R9)(R10*4), Z2, Z2
	VSUBPS 64(R9)(R10*4), Z3, Z3
	VSUBPS 128(R9)(R10*4), Z4, Z4
	VSUBPS.Z 192(R9)(R10*4), Z5, K7, Z5
	PREFETCHT0 (4*SOON)(R9)(R10*4)
	PREFETCHT0 (4*SOON+64)(R9)(R10*4)
	PREFETCHT0 (4*SOON+128)(R9)(R10*4)
	PREFETCHT0 (4*SOON+192)(R9)(R10*4)
	VMOVUPS Z2, FLOATS(R15)(R12*4)
	VMOVUPS Z3, FLOATS+64(R15)(R12*4)
	VMOVUPS Z4, FLOATS+128(R15)(R12*4)
	VMOVUPS Z5, FLOATS+192(R15)(R12*4)
	VMULPS Z30, Z2, Z2
	VMULPS Z30, Z3, Z3
	VMULPS Z30, Z4, Z4
	VMULPS Z30, Z5, Z5
	VCVTPS2DQ Z2, Z6
	VCVTPS2DQ Z3, Z7
	VCVTPS2DQ Z4, Z8
	VMOVDQA64 Z29, Z9
	VCVTPS2DQ Z5, K7, Z9
	MOVQ TAKESLOW(AX), CX
	MOVBLZX (CX), R11
	INCQ TAKESLOW(AX)
	MOVL R11, FLAG(R15)(R12*1)
	KORTESTD K1, K2
	JNE set

noted:
	VPACKSSDW Z7, Z6, Z6
	VPACKSSDW Z9, Z8, Z8
	VMOVDQA64 Z27, Z14
	VMOVDQA64 Z26, Z13
	VMOVDQU64 Z6, INUNITS(R15)(R12*2)
	VMOVDQU64 Z8, INUNITS+64(R15)(R12*2)
	TAKEN(Z6, Z8, Z0, R14)
	VPMADDWD Z6, Z6, Z6
	VPMADDWD Z8, Z8, Z8
	VPADDD Z8, Z6, Z6
	VMOVDQU64 Z0, SUMS(R15)(R12*1)
	VMOVDQU64 Z6, SQUARES(R15)(R12*1)
	MOVQ STEP(AX), R11            // of 16 pixels
	SHRQ $4, R11
	IMULQ WIDE(AX), R11
	ADDQ R11, R8
	ADDQ WIDE(AX), R10

summed:
	MOVQ R12, CX
	ANDQ $255, CX
	SHRQ $4, CX
	VPBROADCASTD LOWS(R15)(CX*1), Z14
	VPBROADCASTD SPANS(R15)(CX*1), Z13
	LEAQ -256(R12), CX
	ANDQ $1023, CX
	VMOVDQU64 INUNITS(R15)(CX*2), Z8
	VMOVDQU64 INUNITS+64(R15)(CX*2), Z9
	TAKEN(Z8, Z9, Z0, DX)
	VMOVDQU64 Z0, AGAIN(R15)(CX*1)
	ADDQ $64, R12
	TESTQ $255, R12
	JNE bank

	LEAQ -512(R12), R11
	ANDQ $1023, R11
	ANDQ $1023, R12
	FOURBANKS(AGAIN)
	FOLD
	VPSHUFD $0x4E, Z0, Z1
	VPADDD Z1, Z0, Z0
	VPSHUFD $0xB1, Z0, Z1
	VPADDD Z1, Z0, Z0
	VPERMD Z0, Z25, Z0
	VCVTDQ2PD X0, Y0
	VMOVD DX, X2
	VPMOVZXBD X2, X2
	VCVTDQ2PD X2, Y2
	VDIVPD Y2, Y0, Y0
	VMULPD Y21, Y0, Y0
	VPANDQ Y18, Y0, Y3
	VCMPPD $1, Y19, Y3, K1        // below the limit
	VCMPPD $14, Y20, Y2, K1, K1   // enough of them
	VMOVAPD.Z Y0, K1, Y0
	VCVTPD2PSY Y0, X0
	VMOVUPS X0, FOURMODES(R15)
	CMPQ R13, N(AX)
	JLT turn
	VZEROUPPER
	RET

	// Some pixels have range bits set: they are no units, and what they need later is called for.
set:
	VMOVDQA32 Z29, K1, Z6
	KSHIFTRD $16, K1, K3
	VMOVDQA32 Z29, K3, Z7
	VMOVDQA32 Z29, K2, Z8
	KSHIFTRD $16, K2, K3
	VMOVDQA32 Z29, K3, Z9
	KUNPCKDQ K1, K2, K3
	MOVQ R12, MARKS(AX)
	MOVQ R13, (MARKS+8)(AX)
	MOVQ DX, (MARKS+16)(AX)
	KMOVQ K3, DX
	MOVL FLAG(R15)(R12*1), R13

each:
	BSFQ DX, R12
	MOVQ R12, R11
	SHRQ $4, R11
	BTSL R11, R13
	ADDQ R10, R12
	CALLOTHERS
	LEAQ -1(DX), R11
	ANDQ R11, DX
	JNE each
	MOVQ MARKS(AX), R12
	MOVL R13, FLAG(R15)(R12*1)
	MOVQ (MARKS+8)(AX), R13
	MOVQ (MARKS+16)(AX), DX
	JMP noted

	// Sixteen pixels at a time, some of which are others.
others:
	MOVL FLAG(R15)(CX*1), R11
	MOVL R11, MARKS(AX)
	MOVQ R8, (MARKS+8)(AX)
	MOVQ DX, (MARKS+16)(AX)
	LEAQ FLOATS(R15)(CX*4), R15
	MOVQ R13, CX
	MOVQ STEP(AX), R8
	SHRQ $4, R8
	IMULQ CX, R8
	ADDQ CODES(AX), R8
	ADDQ WIDE(AX), R13            // end of the bank
	LEAQ (CX*4), R11
	SUBQ R11, R15
	MOVQ PEDESTAL(AX), DX
	CONSTANTS

sixteen:
	SHRL $1, MARKS(AX)
	JCS other
	VMOVUPS (R15)(CX*4), Z0
	VSUBPS Z8, Z0, Z0
	VMULPS (BX)(CX*4), Z0, Z0

put:
	VMOVNTPS Z0, (DI)(CX*4)
	ADDQ $16, CX
	ADDQ STEP(AX), R8
	CMPQ CX, R13
	JLT sixteen
	MOVQ (MARKS+8)(AX), R8
	MOVQ (MARKS+16)(AX), DX
	MOVQ WIDE(AX), R11
	SUBQ R11, R13
	MOVQ RING(AX), R15
	JMP lowered

other:
	OTHERS((R8))
	ADDQ $8, CX
	OTHERS(16(R8))
	SUBQ $8, CX
	VMOVUPS (R15)(CX*4), Z0
	JMP put
