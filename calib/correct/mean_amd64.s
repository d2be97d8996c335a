#include "textflag.h"
#include "loop_amd64.h"
#include "rows_amd64.h"
#include "mean_amd64.h"

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

// func clippedAVX512(b *banks)
// Float32 with the clipped mean of each bank, four banks at a time, of which there are N pixels. What is to be computed
// waits for what was, memory is slow, and a branch that was guessed wrong ends all waiting in vain. So each turn does
// another thing with each of some fours in a row, in which none waits for the others:
//
//	four after this one    which pixels have range bits set, without a branch
//	three after            what these need of other ranges is called for
//	this one               pixels less pedestals, and sums of units
//	one before             the bounds, from the sums
//	two before             pixels of other ranges; sums within the bounds, and the mean
//	three before           the result, past the caches
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
	KNOTD K6, K5
	SHLQ $4, R11
	NEGQ R11
	MOVQ R11, R10                 // first pixel of this four
	IMUL3Q $7, R11, R13
	SARQ $2, R13                  // and of three before
	XORQ R12, R12                 // place of this one in the ring; in parts of it, without the highest bit

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
	SHRQ $4, R11
	VMOVDQU X3, LOWS(R15)(R11*1)
	VMOVDQU X4, SPANS(R15)(R11*1)

	MOVQ WIDE(AX), R11
	LEAQ (R11)(R11*2), R14
	LEAQ (R10)(R14*4), R14
	CMPQ R14, N(AX)
	JCC called
	LEAQ 768(R12), CX
	ANDQ $2047, CX
	SHRQ $3, CX
	LEAQ MASKS(R15)(CX*1), CX
	FULL
	JNE call

called:
	MOVQ WIDE(AX), R14
	SHLQ $3, R14
	NEGQ R14
	ADDQ R10, R14
	CMPQ R14, N(AX)
	JCC bank
	LEAQ -512(R12), CX
	ANDQ $2047, CX
	SHRQ $3, CX
	LEAQ MASKS(R15)(CX*1), CX
	FULL
	JNE mend

	PCALIGN $64
bank:
	CMPQ R10, N(AX)
	JCC summed
	MOVQ R12, CX
	SHRQ $3, CX
	KMOVQ MASKS(R15)(CX*1), K1
	MOVQ R12, CX
	ANDQ $1023, CX
	KSHIFTRQ $16, K1, K2
	KSHIFTRQ $32, K1, K3
	KSHIFTRQ $48, K1, K4
	KANDW K7, K4, K4
	VPMOVZXWD (SI)(R10*2), Z2
	VPMOVZXWD 32(SI)(R10*2), Z3
	VPMOVZXWD 64(SI)(R10*2), Z4
	VPMOVZXWD.Z 96(SI)(R10*2), K7, Z5
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
	VMOVUPS Z2, FLOATS(R15)(CX*4)
	VMOVUPS Z3, FLOATS+64(R15)(CX*4)
	VMOVUPS Z4, FLOATS+128(R15)(CX*4)
	VMOVUPS Z5, FLOATS+192(R15)(CX*4)
	VMULPS Z30, Z2, Z2
	VMULPS Z30, Z3, Z3
	VMULPS Z30, Z4, Z4
	VMULPS Z30, Z5, Z5
	VMOVDQA64 Z29, Z6
	VMOVDQA64 Z29, Z7
	VMOVDQA64 Z29, Z8
	VMOVDQA64 Z29, Z9
	VCVTPS2DQ Z2, K1, Z6
	VCVTPS2DQ Z3, K2, Z7
	VCVTPS2DQ Z4, K3, Z8
	VCVTPS2DQ Z5, K4, Z9
	VPACKSSDW Z7, Z6, Z6
	VPACKSSDW Z9, Z8, Z8
	VMOVDQA64 Z27, Z14
	VMOVDQA64 Z26, Z13
	VMOVDQU64 Z6, INUNITS(R15)(CX*2)
	VMOVDQU64 Z8, INUNITS+64(R15)(CX*2)
	TAKEN(Z6, Z8, Z0, R14)
	VPMADDWD Z6, Z6, Z6
	VPMADDWD Z8, Z8, Z8
	VPADDD Z8, Z6, Z6
	VMOVDQU64 Z0, SUMS(R15)(CX*1)
	VMOVDQU64 Z6, SQUARES(R15)(CX*1)

summed:
	LEAQ 512(R12), CX
	ANDQ $1023, CX
	MOVQ CX, R11
	SHRQ $4, R11
	VPBROADCASTD LOWS(R15)(R11*1), Z14
	VPBROADCASTD SPANS(R15)(R11*1), Z13
	VMOVDQU64 INUNITS(R15)(CX*2), Z8
	VMOVDQU64 INUNITS+64(R15)(CX*2), Z9
	TAKEN(Z8, Z9, Z0, DX)
	VMOVDQU64 Z0, AGAIN(R15)(CX*1)

	CMPQ R13, N(AX)
	JCC lowered
	LEAQ -768(R12), CX
	ANDQ $2047, CX
	SHRQ $3, CX
	KMOVQ MASKS(R15)(CX*1), K1
	KSHIFTRQ $16, K1, K2
	KSHIFTRQ $32, K1, K3
	LEAQ 256(R12), CX
	ANDQ $1023, CX
	MOVQ CX, R11
	SHRQ $4, R11
	VBROADCASTSS FOURMODES(R15)(R11*1), Z8
	VMOVUPS FLOATS(R15)(CX*4), Z0
	VMOVUPS FLOATS+64(R15)(CX*4), Z1
	VMOVUPS FLOATS+128(R15)(CX*4), Z2
	VSUBPS Z8, Z0, K1, Z0
	VSUBPS Z8, Z1, K2, Z1
	VSUBPS Z8, Z2, K3, Z2
	VMULPS (BX)(R13*4), Z0, K1, Z0
	VMULPS 64(BX)(R13*4), Z1, K2, Z1
	VMULPS 128(BX)(R13*4), Z2, K3, Z2
	PREFETCHT0 (4*SOON)(BX)(R13*4)
	PREFETCHT0 (4*SOON+64)(BX)(R13*4)
	PREFETCHT0 (4*SOON+128)(BX)(R13*4)
	PREFETCHT0 (4*SOON+192)(BX)(R13*4)
	VMOVNTPS Z0, (DI)(R13*4)
	VMOVNTPS Z1, 64(DI)(R13*4)
	VMOVNTPS Z2, 128(DI)(R13*4)
	CMPQ WIDE(AX), $64
	JNE lowered
	KSHIFTRQ $48, K1, K4
	VMOVUPS FLOATS+192(R15)(CX*4), Z3
	VSUBPS Z8, Z3, K4, Z3
	VMULPS 192(BX)(R13*4), Z3, K4, Z3
	VMOVNTPS Z3, 192(DI)(R13*4)

lowered:
	MOVQ WIDE(AX), R11
	SHLQ $4, R11
	ADDQ R10, R11
	CMPQ R11, N(AX)
	JGE looked
	VMOVDQU16 (SI)(R11*2), Z0
	VMOVDQU16.Z 64(SI)(R11*2), K6, Z1
	PREFETCHT0 (2*SOON)(SI)(R11*2)
	PREFETCHT0 (2*SOON+64)(SI)(R11*2)
	VPTESTNMW (R8), Z0, K1
	VPTESTNMW 64(R8), Z1, K6, K2
	KORD K5, K2, K2
	KUNPCKDQ K1, K2, K3
	MOVQ R12, CX
	XORQ $1024, CX
	SHRQ $3, CX
	KMOVQ K3, R11
	MOVQ R11, UNSWITCHED(R15)(CX*1)
	LEAQ MASKS(R15)(CX*1), CX
	MOVQ R11, (CX)
	MOVQ TAKESLOW(AX), R11
	MOVQ (R11), R11
	NOTQ R11
	ANDQ R11, (CX)
	ADDQ $8, TAKESLOW(AX)
	ADDQ BANKSTEP(AX), R8

looked:
	ADDQ WIDE(AX), R10
	ADDQ WIDE(AX), R13
	ADDQ $64, R12
	TESTQ $255, R12
	JNE bank

	LEAQ 256(R12), R11
	ANDQ $1023, R11
	ANDQ $2047, R12
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
	SHRQ $4, R11
	VMOVUPS X0, FOURMODES(R15)(R11*1)
	CMPQ R13, N(AX)
	JLT turn
	MOVQ $0, TAKESLOW(AX)         // behind its array, where the collector must not find it
	VZEROUPPER
	RET

	// What the pixels from R14 on need of other ranges is called for.
call:
	MOVQ R8, MARKS(AX)
	MOVQ R13, (MARKS+8)(AX)

callbank:
	MOVQ (CX), DX
	XORQ $-1, DX
	JEQ callnext

callpixel:
	BSFQ DX, R11
	ADDQ R14, R11
	MOVWLZX (SI)(R11*2), R8
	SHRL $15, R8
	ANDL SPECIAL(AX), R8
	SHLQ $4, R8
	MOVQ PEDESTAL1(AX)(R8*1), R13
	PREFETCHT0 (R13)(R11*4)
	MOVQ FACTOR1(AX)(R8*1), R13
	PREFETCHT0 (R13)(R11*4)
	LEAQ -1(DX), R11
	ANDQ R11, DX
	JNE callpixel

callnext:
	ADDQ WIDE(AX), R14
	ADDQ $8, CX
	TESTQ $31, CX
	JNE callbank
	MOVQ MARKS(AX), R8
	MOVQ (MARKS+8)(AX), R13
	JMP called

	// The pixels from R14 on that are of other ranges, or take no part, become what they are.
mend:
	MOVQ R8, MARKS(AX)
	MOVQ R9, (MARKS+8)(AX)
	MOVQ R12, (MARKS+16)(AX)
	MOVQ R13, (MARKS+24)(AX)
	LEAQ 512(R12), R8
	ANDQ $1023, R8
	LEAQ FLOATS(R15)(R8*4), R8

mendbank:
	MOVQ (CX), DX
	XORQ $-1, DX
	JEQ mendnext

mendpixel:
	BSFQ DX, R11
	MOVQ (UNSWITCHED-MASKS)(CX), R13
	BTQ R11, R13
	SBBQ R13, R13                 // -1 in the first range
	LEAQ (R14)(R11*1), R9
	MOVWLZX (SI)(R9*2), R12
	MOVL R12, R9
	ANDL DATAMASK(AX), R9
	VXORPS X0, X0, X0
	VCVTSI2SSL R9, X0, X0
	MOVL R12, R9
	SHRL $15, R9
	ANDL SPECIAL(AX), R9
	ADDQ R13, R9
	SHLQ $4, R9
	ADDQ AX, R9
	ADDQ R14, R11
	MOVQ PEDESTAL1(R9), R13
	VSUBSS (R13)(R11*4), X0, X0
	MOVQ FACTOR1(R9), R13
	VMULSS (R13)(R11*4), X0, X0
	CMPL SPECIAL(AX), $0
	JEQ mended
	CMPL R12, $0xC000
	JEQ full
	CMPL R12, $0x4000
	JEQ none
	CMPL R12, $0xFFFF
	JEQ none
	SHRL $14, R12
	CMPL R12, $2
	JEQ none

mended:
	SUBQ R14, R11
	VMOVSS X0, (R8)(R11*4)
	LEAQ -1(DX), R11
	ANDQ R11, DX
	JNE mendpixel

mendnext:
	ADDQ $256, R8
	ADDQ WIDE(AX), R14
	ADDQ $8, CX
	TESTQ $31, CX
	JNE mendbank
	MOVQ MARKS(AX), R8
	MOVQ (MARKS+8)(AX), R9
	MOVQ (MARKS+16)(AX), R12
	MOVQ (MARKS+24)(AX), R13
	JMP bank

full:
	TESTL $0x7FFFFFFF, (BX)(R11*4)
	JEQ none
	VMOVSS saturated<>(SB), X0
	JMP mended

none:
	VXORPS X0, X0, X0
	JMP mended
